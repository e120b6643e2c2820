#!/bin/sh
# Makes a self-signed certificate of a host in a folder that has none, and anew in its last month or for another host:
#     sh certificate.sh FOLDER HOST
# A certificate of your own, certificate.pem and key.pem, is left alone.
set -eu
cd "$1"
host=$2

if [ -e certificate.pem ]; then
    openssl x509 -in certificate.pem -noout -subject | grep -q "self-signed by Scalp Lab" || exit 0
    if openssl x509 -in certificate.pem -noout -checkend 2592000 >/dev/null \
        && openssl x509 -in certificate.pem -noout -subject | grep -q "CN *= *$host\$"; then
        exit 0
    fi
fi

case $host in
    *:*) name="IP:$host" ;;
    *[!0-9.]*) name="DNS:$host" ;;
    *) name="IP:$host" ;;
esac
umask 077
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 365 \
    -subj "/O=self-signed by Scalp Lab/CN=$host" -addext "subjectAltName=$name" \
    -keyout key.new -out certificate.new 2>/dev/null
# The proxy is of another user, and in the group.
chmod 640 key.new certificate.new
mv key.new key.pem
mv certificate.new certificate.pem
echo "A self-signed certificate for $host was made."
