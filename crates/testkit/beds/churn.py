"""churn.py URL CA SECONDS RATE: creates, changes and deletes config maps in the namespace `churn` on an API server bed, from
several threads, at most RATE changes a second together. Prints the number of changes. Each run has its own names; a fifth
of the changes delete an object, whose name is used again."""

import http.client
import json
import random
import ssl
import sys
import threading
import time
import urllib.parse

URL, CA, SECONDS, RATE = urllib.parse.urlparse(sys.argv[1]), sys.argv[2], float(sys.argv[3]), float(sys.argv[4])
THREADS, NAMES = 8, 40
RUN = int(time.time() * 1000) % 1_000_000
TLS = ssl.create_default_context(cafile=CA)
PATH = "/api/v1/namespaces/churn/configmaps"
done = [0] * THREADS
failures = []


def write(number):
    connection = http.client.HTTPSConnection(URL.hostname, URL.port, context=TLS, timeout=30)
    chance = random.Random(number)

    def ask(method, path, body=None):
        headers = {"Authorization": "Bearer admin-token", "Content-Type": "application/json"}
        connection.request(method, path, None if body is None else json.dumps(body), headers)
        answer = connection.getresponse()
        answer.read()
        return answer.status

    there = set()
    start = time.monotonic()
    while time.monotonic() - start < SECONDS:
        late = start + done[number] * THREADS / RATE - time.monotonic()
        if late > 0:
            time.sleep(late)
        name = f"c-{RUN}-{number}-{chance.randrange(NAMES)}"
        data = {"n": str(done[number]), "who": str(number)}
        body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "labels": {"writer": str(number)}}, "data": data}
        if name not in there:
            status = ask("POST", PATH, body)
            there.add(name)
        elif chance.random() < 0.2:
            status = ask("DELETE", f"{PATH}/{name}")
            there.discard(name)
        else:
            status = ask("PUT", f"{PATH}/{name}", body)
        if status not in (200, 201):
            failures.append(f"{name}: {status}")
            return
        done[number] += 1


threads = [threading.Thread(target=write, args=(number,)) for number in range(THREADS)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
if failures:
    sys.exit("\n".join(failures[:5]))
print(sum(done))
