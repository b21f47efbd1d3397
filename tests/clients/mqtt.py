"""An MQTT 3.1.1 client that shares no code with the server: Python's standard library alone, QoS 1, as devices use it.

Usage:
  mqtt.py pub PORT DEVICES COUNT    publish COUNT numbered reports of so many devices; a report counts when the broker has
                                    acknowledged it, and is sent again on a new connection until it has
  mqtt.py say PORT TOPIC PAYLOAD    publish one message; the payload may be - for the one the source prints
  mqtt.py watch PORT LAST_TOPIC     print every message (topic, tab, payload) until one on LAST_TOPIC
"""
import socket
import struct
import sys
import time

SOURCE = b"""{
"rssi": -43,
"firmwareVersion": 1.2,
"status": 3,
"userId": 2,
"longitude": 0,
"latitude": 0,
"iccid": 898604293620C0000970,
"cardPlatformId": 0,
"summary": {"name": "FastBee", "chip": "ESP8266", "author": "kerwincui", "deliveryTime": "2023-06-06", "activeTime": "2022-10-01"}
}"""
CONNACK, PUBLISH, PUBACK, SUBACK = 2, 3, 4, 9


def text(value):
    data = value.encode()
    return struct.pack(">H", len(data)) + data


def packet(head, body):
    size, length = len(body), b""
    while True:
        size, digit = size >> 7, size & 127
        length += bytes([digit | (128 if size else 0)])
        if not size:
            return bytes([head]) + length + body


class Client:
    def __init__(self, port, name):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=30)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.sendall(packet(0x10, text("MQTT") + bytes([4, 2]) + struct.pack(">H", 60) + text(name)))
        kind, body, _ = self.read()
        if kind != CONNACK or body[1] != 0:
            raise OSError(f"the broker does not let us in: {body!r}")

    def exactly(self, size):
        data = b""
        while len(data) < size:
            more = self.socket.recv(size - len(data))
            if not more:
                raise OSError("the broker has gone")
            data += more
        return data

    def read(self):
        head = self.exactly(1)[0]
        size, shift = 0, 0
        while True:
            digit = self.exactly(1)[0]
            size |= (digit & 127) << shift
            shift += 7
            if not digit & 128:
                break
        return head >> 4, self.exactly(size) if size else b"", head & 15

    def publish(self, topic, payload, number):
        self.socket.sendall(packet(0x32, text(topic) + struct.pack(">H", number) + payload))

    def subscribe(self, topic):
        self.socket.sendall(packet(0x82, struct.pack(">H", 1) + text(topic) + bytes([1])))


def connected(port, name):
    for _ in range(600):
        try:
            return Client(port, name)
        except OSError:
            time.sleep(0.1)
    sys.exit("no broker")


def pub(port, devices, count):
    waiting = list(range(count))
    while waiting:
        client, sent = connected(port, "devices"), {}
        queue = list(reversed(waiting))
        try:
            while queue or sent:
                while queue and len(sent) < 20:
                    seq = queue.pop()
                    number = seq % 65535 + 1
                    sent[number] = seq
                    payload = b'{"iccid":"","firmwareVersion":"%d","rssi":-70}' % seq
                    client.publish(f"/7/D{seq % devices}/info/post", payload, number)
                kind, body, _ = client.read()
                if kind == PUBACK:
                    sent.pop(struct.unpack(">H", body[:2])[0], None)
            waiting = []
        except OSError:
            waiting = sorted(set(sent.values()) | set(queue))
            time.sleep(0.1)
    print(f"{count} reports acknowledged by the broker")


def say(port, topic, payload):
    client = connected(port, "a device")
    client.publish(topic, SOURCE if payload == "-" else payload.encode(), 1)
    while client.read()[0] != PUBACK:
        pass


def watch(port, last):
    client = connected(port, "a watcher")
    client.subscribe("#")
    while client.read()[0] != SUBACK:
        pass
    print("watching", flush=True)
    while True:
        kind, body, flags = client.read()
        if kind != PUBLISH:
            continue
        size = struct.unpack(">H", body[:2])[0]
        topic, rest = body[2 : 2 + size].decode(), body[2 + size :]
        if flags >> 1 & 3:
            number, rest = rest[:2], rest[2:]
            client.socket.sendall(packet(0x40, number))
        print(topic, rest.decode(), sep="\t", flush=True)
        if topic == last:
            return


verb, port = sys.argv[1], int(sys.argv[2])
if verb == "pub":
    pub(port, int(sys.argv[3]), int(sys.argv[4]))
elif verb == "say":
    say(port, sys.argv[3], sys.argv[4])
elif verb == "watch":
    watch(port, sys.argv[3])
