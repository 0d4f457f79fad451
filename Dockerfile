# docker build -t cimlnk . && docker run --rm -v "$PWD:/data" -w /data cimlnk --configfile mine.yaml
FROM debian:12-slim
COPY . /opt/cimlnk
# the machine code of the graph engine belongs to one kind of CPU: it is compiled where it runs, not where this is built
ENV CIMLNK_CACHE=/tmp/cimlnk-cache
RUN /opt/cimlnk/packaging/install.sh system && /opt/cimlnk/packaging/install.sh setup && rm -rf /tmp/cimlnk-cache
ENV PATH=/opt/cimlnk/.venv/bin:$PATH PYTHONPATH=/opt/cimlnk/workflow
ENTRYPOINT ["python", "-m", "cimlnk", "run"]
