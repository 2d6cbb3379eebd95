# stcodec in a container. CPU:  docker build -t stcodec .
# With torch for --device cuda: docker build -t stcodec:gpu --build-arg GPU=1 .   then: docker run --gpus all ...
FROM debian:trixie-slim
ARG GPU=0
RUN apt-get update \
    && apt-get install -y --no-install-recommends python3 python3-venv \
    && rm -rf /var/lib/apt/lists/* \
    && python3 -m venv /opt/stcodec
WORKDIR /src
COPY pyproject.toml README.md LICENSE ./
COPY stcodec stcodec
# PyAV and imageio-ffmpeg bring ffmpeg's libraries and its program: nothing of it comes from Debian.
RUN if [ "$GPU" = 1 ]; then extra="[gpu]"; else extra=""; fi \
    && /opt/stcodec/bin/pip install --no-cache-dir --disable-pip-version-check "/src$extra" \
    && rm -rf /src/build /src/stcodec.egg-info \
    && useradd --create-home --uid 1000 stcodec
ENV PATH=/opt/stcodec/bin:$PATH
USER stcodec
WORKDIR /video
ENTRYPOINT ["stcodec"]
CMD ["--help"]
