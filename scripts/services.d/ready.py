"""Waits until a service answers: PID KIND PORT [argument].

Fails if the process PID has ended, or after two minutes.
"""

import os
import socket
import sys
import time

pid, kind, port, *arguments = sys.argv[1:]
pid, port = int(pid), int(port)


def says(expected, greeting=b""):
    """Whether the service says something that contains one of these, after an optional greeting."""
    with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
        connection.sendall(greeting)
        answer = connection.recv(512)
    return any(part in answer for part in expected)


def open_port():
    socket.create_connection(("127.0.0.1", port), timeout=5).close()
    return True


def http():
    return says([b" 200 "], f"GET {arguments[0]} HTTP/1.0\r\n\r\n".encode())


def mqtt():
    connect = b"\x00\x04MQTT\x04\x02\x00\x05\x00\x05ready"
    return says([b"\x20\x02"], b"\x10" + bytes([len(connect)]) + connect)


def kafka():
    from confluent_kafka.admin import AdminClient

    client = AdminClient({"bootstrap.servers": f"127.0.0.1:{port}", "log_level": 0})
    return bool(client.list_topics(timeout=5).brokers)


def s3():
    import boto3
    from botocore.config import Config

    key, secret, bucket = arguments
    client = boto3.client(
        "s3",
        endpoint_url=f"http://127.0.0.1:{port}",
        region_name="us-east-1",
        aws_access_key_id=key,
        aws_secret_access_key=secret,
        config=Config(retries={"total_max_attempts": 1}, connect_timeout=5, read_timeout=10),
    )
    if bucket not in [each["Name"] for each in client.list_buckets()["Buckets"]]:
        client.create_bucket(Bucket=bucket)
    # The buckets may be there before the volumes are.
    client.put_object(Bucket=bucket, Key=".ready", Body=b"ready")
    client.delete_object(Bucket=bucket, Key=".ready")
    return True


probes = {
    "amqp": lambda: says([b"RabbitMQ"], b"AMQP\x00\x00\x09\x01"),
    "http": http,
    "kafka": kafka,
    "mqtt": mqtt,
    "mysql": lambda: says([b"mysql_native_password"]),
    "port": open_port,
    "redis": lambda: says([b"+PONG", b"-NOAUTH"], b"PING\r\n"),
    "s3": s3,
    "smtp": lambda: says([b"220 "]),
}


def alive():
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


problem = "it does not answer"
deadline = time.monotonic() + 120
while time.monotonic() < deadline:
    if not alive():
        sys.exit("it has ended")
    try:
        if probes[kind]():
            sys.exit(0)
    except Exception as error:  # Each client has its own, and the next try may succeed.
        problem = f"{type(error).__name__}: {error}"
    time.sleep(0.1)
sys.exit(problem)
