"""Prints a free port of 127.0.0.1 and reserves it for the folder that is the argument.

The port is not one of those that the system gives to others, who would take it while the service
is down. Files in the folder for temporary files say which service's folder has which port.
"""

import os
import random
import socket
import sys
import tempfile

folder = sys.argv[1]
reserved = os.path.join(tempfile.gettempdir(), f"postrider-ports-{os.getuid()}")
os.makedirs(reserved, exist_ok=True)


def reserve(port):
    file = os.path.join(reserved, str(port))
    try:
        with open(file) as reservation:
            if os.path.isdir(reservation.read()):
                return False
        os.unlink(file)
    except FileNotFoundError:
        pass
    try:
        with open(file, "x") as reservation:
            reservation.write(folder)
    except FileExistsError:
        return False
    return True


while True:
    port = random.randrange(10000, 30000)
    try:
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", port))
    except OSError:
        continue
    if reserve(port):
        print(port)
        break
