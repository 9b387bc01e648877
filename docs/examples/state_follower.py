"""Print what the daemon does, now and at each change, until another one takes over: ten lines of pyzmq."""

import json
import os

import zmq

runtime = os.environ.get("RTVOICE_RUNTIME_DIR") or os.environ["XDG_RUNTIME_DIR"] + "/rtvoice"
events, control = zmq.Context.instance().socket(zmq.SUB), zmq.Context.instance().socket(zmq.REQ)
events.connect(f"ipc://{runtime}/events.sock")
control.connect(f"ipc://{runtime}/control.sock")
events.subscribe("state")
events.recv_multipart()  # The welcome, "state+welcome": from here on nothing is missed.
control.send_json({"command": "snapshot"})
event = cut = control.recv_json()
while event["run"] == cut["run"]:  # Another daemon: start anew.
    if event is cut or (event["event"] == "state" and event["seq"] > cut["seq"]):
        print(event["data"]["conversation"], "muted" if event["data"]["muted"] else "open", flush=True)
    event = json.loads(events.recv_multipart()[1])
