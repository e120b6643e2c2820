# Scalp Lab in one image: dashboard and REST on one port, the demonstration data and the shipped models inside.
#
#   docker build -t scalp-lab .
#   docker run -p 8501:8501 scalp-lab
#
# What was decided, why, and how to run it hardened: docs/design/container.md


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


FROM python:3.11-slim-bookworm

LABEL org.opencontainers.image.title="Scalp Lab" \
    org.opencontainers.image.description="Compare and retrain image models that grade six scalp conditions." \
    org.opencontainers.image.licenses="MIT" \
    intended-use="Research and education only. Not a medical device: not for diagnosis, triage, choice of treatment or product advice. The shipped models learned from rendered pictures." \
    intended-use.ko="연구·교육 전용. 의료기기가 아니며 진단, 분류, 치료 선택, 제품 추천에 쓸 수 없습니다. 함께 제공되는 모델은 합성 사진으로 학습했습니다."

# tini passes signals on and clears away trainings whose parent has gone; Nanum draws the Korean of printed figures.
# Nothing is installed after this and no process changes identity, so pip and set-user-id bits go.
RUN apt-get update \
    && apt-get install -y --no-install-recommends "tini=0.19.0-*" fonts-nanum \
    && rm -rf /var/lib/apt/lists/* \
    && python -m pip uninstall --yes --quiet --root-user-action=ignore pip setuptools wheel \
    && find / -xdev -type f -perm /6000 -exec chmod a-s {} + \
    && useradd --uid 10001 --user-group --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin scalp

COPY --from=packages /opt/venv /opt/venv

WORKDIR /app
# The only folder that user 10001 can write. No VOLUME: every new container would copy it (docs/design/container.md).
COPY --from=content --chown=10001:10001 /app/artifacts artifacts
COPY LICENSE Home.py serve.py ./
COPY .streamlit .streamlit
COPY scalp_core scalp_core
COPY training training
COPY ui ui
COPY pages pages
# The same permissions for every checkout. Compiled here, as the code's folders cannot be written later.
RUN chown root:root . \
    && chmod -R a+rX,go-w LICENSE ./*.py .streamlit scalp_core training ui pages \
    && /opt/venv/bin/python -m compileall -q serve.py scalp_core training ui

# Downloaded backbones are worth keeping: into the volume. The rest may be lost. Pages import only from what is
# mounted at /import.
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    HOST=0.0.0.0 \
    PORT=8501 \
    SCALP_ARTIFACTS=/app/artifacts \
    SCALP_DATA=/app/artifacts/data \
    SCALP_IMPORT_FROM=/import \
    HF_HOME=/app/artifacts/cache/huggingface \
    TORCH_HOME=/app/artifacts/cache/torch \
    XDG_CACHE_HOME=/tmp/cache \
    MPLCONFIGDIR=/tmp/matplotlib

USER 10001:10001
EXPOSE 8501

# Without proxies: the environment's are for the outside.
HEALTHCHECK --interval=30s --timeout=5s --start-period=30s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request as u; u.build_opener(u.ProxyHandler({})).open(f'http://127.0.0.1:{os.environ[\"PORT\"]}/_stcore/health', timeout=4)"]

ENTRYPOINT ["/usr/bin/tini", "--"]
CMD ["python", "serve.py"]
