# The public Standard Webhooks library of Python: reads a request per line, says "ok" or "err" per line.
# Argument: the folder the library was installed into.
import json
import sys

sys.path.insert(0, sys.argv[1])
from standardwebhooks import Webhook

for line in sys.stdin.buffer:
    request = json.loads(line)
    try:
        Webhook(request["secret"]).verify(request["body"], request["headers"], json_parse=False)
        print("ok")
    except Exception:
        print("err")
