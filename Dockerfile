# Scalp Lab as two images. `app`, the last stage, has everything: dashboard and REST on one port, the demonstration data
# and the shipped models. `api` has REST with its test page and the models that answer, without torch and Streamlit.
#
#   docker build -t scalp-lab .
#   docker build -t scalp-lab-api --target api .
#   docker run -p 8501:8501 scalp-lab
#
# What was decided, why, and how to run them hardened: docs/design/container.md

# For the labels. Where an image is published, the commit and the address of the sources are given.
ARG VERSION=0.1.0
ARG REVISION=""
ARG SOURCE=""


# The packages, in a folder that the last stage takes over whole.
FROM python:3.11-slim-bookworm AS packages

# Empty: the package settings in force decide. On x86-64 these are PyPI's, whose torch is a CUDA build of several GB;
# --build-arg TORCH_INDEX_URL=https://download.pytorch.org/whl/cpu takes the small one.
ARG TORCH_INDEX_URL=""

WORKDIR /build
COPY requirements.txt ./
# Headers and torch's compiled tests, 200 MB, serve only those who build torch or against it.
RUN python -m venv --without-pip /opt/venv \
    && install="python -m pip --python /opt/venv/bin/python install --no-cache-dir --disable-pip-version-check" \
    && if [ -n "$TORCH_INDEX_URL" ]; then \
        grep -E '^torch(vision)?==' requirements.txt > torch.txt \
        && $install --index-url "$TORCH_INDEX_URL" -r torch.txt; \
    fi \
    && $install -r requirements.txt \
    && installed=/opt/venv/lib/python3.11/site-packages \
    && rm -rf "$installed/torch/include" "$installed/torch/test" "$installed/pyarrow/include" \
    && find "$installed/torch/bin" -mindepth 1 ! -name torch_shm_manager -delete


# What the first start would otherwise have to make: the demonstration dataset. Its folder lies among the runs.
FROM packages AS content

ENV PATH=/opt/venv/bin:$PATH \
    SCALP_ARTIFACTS=/app/artifacts \
    SCALP_DATA=/app/artifacts/data

WORKDIR /app
COPY scalp_core scalp_core
COPY training training
RUN python -m training.prepare demo
COPY artifacts artifacts
# As their owner user 10001 may write, and whatever user else runs in group 0.
RUN chmod -R g=u artifacts


# OpenCV from its sources, with those modules alone that grading calls. The wheel brings video codecs, a BLAS and Intel's
# kernels along, 140 MB that nothing here needs, and does not load without them.
FROM python:3.11-slim-bookworm AS api-opencv

RUN apt-get update && apt-get install -y --no-install-recommends cmake g++ ninja-build python3-dev

WORKDIR /build
COPY requirements.txt ./
RUN python -m venv tools \
    && grep '^numpy==' requirements.txt > numpy.txt \
    && grep '^opencv-python-headless==' requirements.txt > opencv.txt \
    && install="--no-cache-dir --disable-pip-version-check" \
    && tools/bin/python -m pip install $install -r numpy.txt \
    && tools/bin/python -m pip download $install --no-deps --no-binary opencv-python-headless -r opencv.txt \
    && mkdir sources && tar -xzf opencv_python_headless-*.tar.gz -C sources --strip-components 1 \
    && cmake -G Ninja -S sources/opencv -B made -DCMAKE_BUILD_TYPE=Release -DCMAKE_INSTALL_PREFIX=/opt/opencv \
        -DBUILD_LIST=core,imgproc,python3,python_bindings_generator -DBUILD_SHARED_LIBS=OFF -DBUILD_JAVA=OFF \
        -DBUILD_TESTS=OFF -DBUILD_PERF_TESTS=OFF -DBUILD_opencv_apps=OFF -DBUILD_opencv_python3=ON -DBUILD_ZLIB=ON \
        -DWITH_IPP=OFF -DWITH_LAPACK=OFF -DWITH_OPENCL=OFF -DWITH_ITT=OFF -DWITH_PROTOBUF=OFF -DWITH_JPEG=OFF \
        -DWITH_PNG=OFF -DWITH_TIFF=OFF -DWITH_WEBP=OFF -DWITH_OPENJPEG=OFF -DWITH_OPENEXR=OFF -DWITH_JASPER=OFF \
        -DPYTHON3_LIMITED_API=ON -DPYTHON3_EXECUTABLE=/build/tools/bin/python \
        -DPYTHON3_INCLUDE_DIR=/usr/include/python3.11 \
        -DPYTHON3_LIBRARY="/usr/lib/$(gcc -print-multiarch)/libpython3.11.so" \
        -DPYTHON3_NUMPY_INCLUDE_DIRS="$(tools/bin/python -c 'import numpy; print(numpy.get_include())')" \
        -DOPENCV_PYTHON3_INSTALL_PATH=python -DINSTALL_CREATE_DISTRIB=ON \
    && ninja -C made install \
    && strip --strip-unneeded /opt/opencv/python/cv2/python-3/*.so


# The packages of REST: those lines that are marked `# api`, and what they need.
FROM python:3.11-slim-bookworm AS api-packages

# For strip.
RUN apt-get update && apt-get install -y --no-install-recommends binutils

WORKDIR /build
COPY requirements.txt ./
# Deleted: tests; headers; files that only type checkers and compilers read; ONNX Runtime for C++ (Python's is another
# file) and its tools; of pyarrow what is only loaded to speak to servers, copies of a library under names for linking,
# and names of inner functions. Libraries of other wheels must not be stripped: they were patched and then do not load.
RUN python -m venv --without-pip /opt/venv \
    && grep ' # api' requirements.txt > api.txt \
    && python -m pip --python /opt/venv/bin/python install --no-cache-dir --disable-pip-version-check -r api.txt \
    && cd /opt/venv/lib/python3.11/site-packages \
    && find . -type d \( -name tests -o -name include -o -name f2py \) -prune -exec rm -r {} + \
    && find . -type f \( -name '*.py[ix]' -o -name '*.px[di]' -o -name '*.a' \) -delete \
    && rm -r onnxruntime/capi/libonnxruntime.so.* onnxruntime/quantization onnxruntime/tools onnxruntime/transformers \
        pyarrow/*flight* pyarrow/_s3fs.*.so pyarrow/libarrow_s3.so.* \
        pyarrow/libarrow_python.so pyarrow/libarrow_python.so.*.* \
    && strip --strip-unneeded pyarrow/*.so pyarrow/*.so.* \
    && rm -r cv2 opencv_python_headless.libs
COPY --from=api-opencv /opt/opencv/python/cv2 /opt/venv/lib/python3.11/site-packages/cv2


# The runs that answer; the others are there to be compared. A picture is graded, which also tries the packages.
FROM api-packages AS api-content

ENV PATH=/opt/venv/bin:$PATH \
    SCALP_ARTIFACTS=/app/artifacts \
    SCALP_DATA=/app/artifacts/data

WORKDIR /app
COPY scalp_core scalp_core
COPY artifacts artifacts
RUN python -c "import numpy, scalp_core; answer = scalp_core.grade(numpy.full((480, 640, 3), 128, 'uint8')); print(*{grading.run.folder for grading in answer.gradings.values()})" > answering.txt \
    && mkdir /answering \
    && cp -a $(cat answering.txt) /answering \
    && chmod -R a+rX,go-w /answering


# What both images share.
FROM python:3.11-slim-bookworm AS base

LABEL org.opencontainers.image.licenses="MIT" \
    intended-use="Research and education only. Not a medical device: not for diagnosis, triage, choice of treatment or product advice. The shipped models learned from rendered pictures." \
    intended-use.ko="연구·교육 전용. 의료기기가 아니며 진단, 분류, 치료 선택, 제품 추천에 쓸 수 없습니다. 함께 제공되는 모델은 합성 사진으로 학습했습니다."

# tini passes signals on and clears away trainings whose parent has gone.
# No process installs packages or changes identity, so pip and set-user-id bits go.
RUN apt-get update \
    && apt-get install -y --no-install-recommends "tini=0.19.0-*" \
    && rm -rf /var/lib/apt/lists/* /var/cache/apt/* \
    && python -m pip uninstall --yes --quiet --root-user-action=ignore pip setuptools wheel \
    && find / -xdev -type f -perm /6000 -exec chmod a-s {} + \
    && useradd --uid 10001 --user-group --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin scalp

WORKDIR /app
COPY LICENSE ./
# What may be lost goes to /tmp.
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    HOST=0.0.0.0 \
    PORT=8501 \
    SCALP_ARTIFACTS=/app/artifacts \
    SCALP_DATA=/app/artifacts/data \
    XDG_CACHE_HOME=/tmp/cache

EXPOSE 8501

# Without proxies: the environment's are for the outside.
HEALTHCHECK --interval=30s --timeout=5s --start-period=30s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request as u; u.build_opener(u.ProxyHandler({})).open(f'http://127.0.0.1:{os.environ[\"PORT\"]}/api/health', timeout=4)"]

ENTRYPOINT ["/usr/bin/tini", "--"]


FROM base AS api

COPY --from=api-packages /opt/venv /opt/venv
COPY --from=api-content /answering artifacts
COPY scalp_core scalp_core
# The same permissions for every checkout. Compiled here, as nothing of this image can be written later.
RUN chown root:root . \
    && chmod -R a+rX,go-w LICENSE scalp_core \
    && python -m compileall -q scalp_core \
    && python -m scalp_core.sbom > sbom.cdx.json

ARG VERSION
ARG REVISION
ARG SOURCE
LABEL org.opencontainers.image.title="Scalp Lab API" \
    org.opencontainers.image.description="Grade six scalp conditions of a picture over REST." \
    org.opencontainers.image.version="$VERSION" \
    org.opencontainers.image.revision="$REVISION" \
    org.opencontainers.image.source="$SOURCE"

USER 10001:10001
CMD ["python", "-m", "scalp_core.rest"]


FROM base AS app

# Draws the Korean of printed figures.
RUN apt-get update \
    && apt-get install -y --no-install-recommends fonts-nanum \
    && rm -rf /var/lib/apt/lists/* /var/cache/apt/*

COPY --from=packages /opt/venv /opt/venv
# The only folder that user 10001, and group 0, can write. No VOLUME: every new container would copy it
# (docs/design/container.md).
COPY --from=content --chown=10001:0 /app/artifacts artifacts
COPY Home.py serve.py ./
COPY .streamlit .streamlit
COPY scalp_core scalp_core
COPY training training
COPY ui ui
COPY pages pages
# The same permissions for every checkout; COPY keeps those of files, not of the folder that it is given. Compiled here,
# as the code's folders cannot be written later.
RUN chown root:root . \
    && chmod g=u artifacts \
    && chmod -R a+rX,go-w LICENSE ./*.py .streamlit scalp_core training ui pages \
    && python -m compileall -q serve.py scalp_core training ui \
    && python -m scalp_core.sbom > sbom.cdx.json

# Downloaded backbones are worth keeping: into the volume. Pages import only from what is mounted at /import.
ENV SCALP_IMPORT_FROM=/import \
    HF_HOME=/app/artifacts/cache/huggingface \
    TORCH_HOME=/app/artifacts/cache/torch \
    MPLCONFIGDIR=/tmp/matplotlib

ARG VERSION
ARG REVISION
ARG SOURCE
LABEL org.opencontainers.image.title="Scalp Lab" \
    org.opencontainers.image.description="Compare and retrain image models that grade six scalp conditions." \
    org.opencontainers.image.version="$VERSION" \
    org.opencontainers.image.revision="$REVISION" \
    org.opencontainers.image.source="$SOURCE"

USER 10001:10001
CMD ["python", "serve.py"]
