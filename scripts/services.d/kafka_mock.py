"""The mock cluster of librdkafka: FILE-FOR-BOOTSTRAP CONTROL-PORT BROKERS PARTITIONS TOPICS.

It writes its addresses into the file. Then it takes commands at the control port, one a line, and
answers each with "ok" or with "error: …":

    topic NAME PARTITIONS         creates a topic
    down BROKER, up BROKER        closes a broker's port and connections (brokers count from 1)
    errors REQUEST CODE …         the next requests of this kind get these codes, one each (0: none);
                                  the number is that of Kafka's protocol: 0 produce, 1 fetch
    clear REQUEST                 forgets those
    topic-error NAME CODE         metadata of the topic has this code
    delay BROKER MILLISECONDS     a broker answers that much later
    advertise BROKER HOST PORT    the address of a broker in metadata
    leader NAME PARTITION BROKER  moves a partition
    coordinator group|transaction KEY BROKER
"""

import ctypes
import glob
import os
import socket
import sys
import threading

import confluent_kafka

file, control, brokers, partitions, topics = sys.argv[1:]

folder = os.path.dirname(confluent_kafka.__file__)
[path] = glob.glob(os.path.join(folder, "..", "confluent_kafka.libs", "librdkafka-*.so*"))
library = ctypes.CDLL(path)
library.rd_kafka_conf_new.restype = ctypes.c_void_p
library.rd_kafka_new.restype = ctypes.c_void_p
library.rd_kafka_mock_cluster_new.restype = ctypes.c_void_p
library.rd_kafka_mock_cluster_bootstraps.restype = ctypes.c_char_p

problem = ctypes.create_string_buffer(512)
producer = library.rd_kafka_new(
    0, ctypes.c_void_p(library.rd_kafka_conf_new()), problem, ctypes.c_size_t(512)
)
if not producer:
    sys.exit(problem.value.decode())
cluster = ctypes.c_void_p(
    library.rd_kafka_mock_cluster_new(ctypes.c_void_p(producer), int(brokers))
)
lock = threading.Lock()


def mock(function, *arguments):
    """Calls a function for the cluster. Numbers are 32 bits wide unless they are ctypes'."""
    converted = [each.encode() if isinstance(each, str) else each for each in arguments]
    return getattr(library, "rd_kafka_mock_" + function)(cluster, *converted)


def errors(request, *codes):
    codes = (ctypes.c_int * len(codes))(*map(int, codes))
    mock("push_request_errors_array", ctypes.c_int16(int(request)), ctypes.c_size_t(len(codes)), codes)


commands = {
    "topic": lambda name, count: mock("topic_create", name, int(count), 1),
    "down": lambda broker: mock("broker_set_down", int(broker)),
    "up": lambda broker: mock("broker_set_up", int(broker)),
    "errors": errors,
    "clear": lambda request: mock("clear_request_errors", ctypes.c_int16(int(request))),
    "topic-error": lambda name, code: mock("topic_set_error", name, int(code)),
    "delay": lambda broker, time: mock("broker_set_rtt", int(broker), int(time)),
    "advertise": lambda broker, host, port: mock("broker_set_host_port", int(broker), host, int(port)),
    "leader": lambda name, part, broker: mock("partition_set_leader", name, int(part), int(broker)),
    "coordinator": lambda kind, key, broker: mock("coordinator_set", kind, key, int(broker)),
}


def obey(line):
    name, *arguments = line.split() or [""]
    if name not in commands:
        return f"error: no such command: {name}"
    try:
        with lock:
            code = commands[name](*arguments)
    except (TypeError, ValueError) as error:
        return f"error: {error}"
    return f"error: code {code}" if code and name not in ("errors", "clear", "topic-error") else "ok"


def serve(connection):
    with connection, connection.makefile("rw") as lines:
        for line in lines:
            print(obey(line), file=lines, flush=True)


for topic in filter(None, topics.split(",")):
    mock("topic_create", topic, int(partitions), 1)
with open(file, "wb") as bootstrap:
    bootstrap.write(library.rd_kafka_mock_cluster_bootstraps(cluster))
listener = socket.create_server(("127.0.0.1", int(control)))
while True:
    threading.Thread(target=serve, args=[listener.accept()[0]], daemon=True).start()
