# For those who have a daemon: `make image`, then `docker build .` makes an image of the same files.
FROM scratch
COPY target/image/root/ /
