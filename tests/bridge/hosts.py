# SPDX-License-Identifier: MIT
"""Machines for the bridge's tests: each has namespaces of its own for network, mounts (so its own /dev/shm) and processes, and
a link to a hub where nats-server runs. Nothing outside can be reached, nothing outside sees them, and all of it goes with the
test. A machine is killed by killing its first process: the kernel kills the rest."""
import ctypes
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

BRIDGE, APP, FETCH, SHMCTL, ORIGIN, STRANGER = map(os.path.abspath, sys.argv[1:7])
NATS = shutil.which("nats-server") or shutil.which("nats-server", path="/usr/sbin:/usr/local/bin")
DOCUMENT = os.path.join(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))), "docs", "BRIDGE.md")
PATIENCE = 40.0
SHORT = "STRAIT_SHORT" in os.environ


def skip(why):
    print("SKIPPED: " + why)
    sys.exit(77)


def die_with_parent():
    ctypes.CDLL(None).prctl(1, signal.SIGKILL) # PR_SET_PDEATHSIG


def wait_for(what, condition, patience=PATIENCE):
    """Until the condition is true: its value. A test does not go on after a time, but after an event."""
    end = time.monotonic() + patience
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError("in vain: " + what)
        time.sleep(0.01)


def child_of(pid):
    try:
        with open("/proc/%d/task/%d/children" % (pid, pid)) as f:
            return [int(x) for x in f.read().split()]
    except OSError:
        return []


def has_ended(pid):
    """Gone, or a zombie: a machine's first process, which inherits orphans, does not wait for them."""
    try:
        with open("/proc/%d/stat" % pid) as f:
            return f.read().rpartition(")")[2].split()[0] in "ZX"
    except OSError:
        return True


class Process:
    """A program on a machine. `pid` is its own, not that of the nsenter before it."""

    def __init__(self, host, name, arguments, environment=None):
        self.host, self.name = host, name
        self.out = os.path.join(host.root, "%s.%d.out" % (name, host.started))
        self.err = os.path.join(host.root, "%s.%d.err" % (name, host.started))
        host.started += 1
        with open(self.out, "wb") as out, open(self.err, "wb") as err:
            self.popen = subprocess.Popen(
                ["nsenter", "-t", str(host.init), "-n", "-m", "-p", "--"] + [str(a) for a in arguments], stdout=out,
                stderr=err, stdin=subprocess.DEVNULL, preexec_fn=die_with_parent,
                env=dict(os.environ, **(environment or {})))
        found = wait_for("start of " + name, lambda: child_of(self.popen.pid) or self.popen.poll() is not None)
        self.pid = found[0] if isinstance(found, list) else None

    def running(self):
        return self.popen.poll() is None

    def text(self):
        with open(self.out, errors="replace") as f:
            return f.read()

    def errors(self):
        with open(self.err, errors="replace") as f:
            return f.read()

    def lines(self):
        text = self.text()
        return text[:text.rfind("\n") + 1].splitlines()

    def says(self, word):
        wait_for("%s says %r; stderr: %s" % (self.name, word, self.errors()),
                 lambda: any(l.startswith(word) for l in self.lines()) or not self.running())
        if not any(l.startswith(word) for l in self.lines()):
            raise AssertionError("%s ended: %s%s" % (self.name, self.text()[-500:], self.errors()))

    def kill(self, number=signal.SIGKILL):
        if self.pid and self.running():
            os.kill(self.pid, number)
        return self.popen.wait(PATIENCE)

    def hold(self):
        os.kill(self.pid, signal.SIGSTOP)

    def go_on(self):
        for pid in (self.pid, self.popen.pid): # nsenter stops with what it has started
            os.kill(pid, signal.SIGCONT)

    def kill_child(self):
        """kill -9 of the bridge proper, which its keeper starts again; the new one."""
        old = wait_for("the child of " + self.name, lambda: child_of(self.pid))[0]
        os.kill(old, signal.SIGKILL)
        wait_for("a new child of %s: %s" % (self.name, self.errors()), lambda: [c for c in child_of(self.pid) if c != old])

    def kill_both(self):
        """kill -9 of the keeper, and of the bridge proper before it has noticed; the machine goes on."""
        child = wait_for("the child of " + self.name, lambda: child_of(self.pid))[0]
        os.kill(child, signal.SIGSTOP) # neither may outlive the other by a step
        os.kill(self.pid, signal.SIGKILL)
        os.kill(child, signal.SIGKILL)
        self.popen.wait(PATIENCE)
        wait_for("the end of both", lambda: has_ended(child))

    def end(self):
        try:
            return self.popen.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            raise AssertionError("%s does not end: %s%s" % (self.name, self.text()[-500:], self.errors()))


class Host:
    def __init__(self, case, name, number):
        self.case, self.name, self.number, self.started = case, name, number, 0
        self.root = os.path.join(case.root, name)
        os.makedirs(self.root, exist_ok=True)
        self.holder = subprocess.Popen(
            ["unshare", "-n", "-m", "-p", "-f", "--kill-child", "--mount-proc", "sh", "-c",
             "mount -t tmpfs -o size=512m tmpfs /dev/shm && ip link set lo up && echo up && exec sleep 100000"],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, preexec_fn=die_with_parent)
        line = self.holder.stdout.readline()
        if line != b"up\n":
            skip("no namespaces here: " + self.holder.stderr.read().decode(errors="replace").strip())
        self.holder.stdout.close()
        self.holder.stderr.close()
        self.init = child_of(self.holder.pid)[0]
        self.processes = []
        self.alive = True

    def run(self, name, *arguments, **environment):
        p = Process(self, name, arguments, environment)
        self.processes.append(p)
        return p

    def app(self, command, *arguments):
        return self.run(command, APP, command, "shop", *arguments)

    def bridge(self, *arguments, **more):
        return self.run("bridge", BRIDGE, "--server", more.get("server", self.case.url), "--app", "shop", "--segment",
                        more.get("segment", "shop"), "--ping", "0.5", *arguments)

    def shmctl(self, *arguments):
        return subprocess.run(["nsenter", "-t", str(self.init), "-n", "-m", "-p", "--", SHMCTL] + list(arguments),
                              capture_output=True, text=True).stdout

    def status(self):
        """What shmctl bridge says, or None while there is nothing."""
        text = self.shmctl("bridge", "shop", "--json")
        bridges = json.loads(text)["bridges"] if text else None
        return bridges[0] if bridges else None

    def link(self, name):
        status = self.status()
        for link in status["links"] if status else []:
            if link["name"] == name:
                return link
        return None

    def ready(self, *names):
        """All these links run."""
        for name in names:
            wait_for("link %s of %s; %s" % (name, self.name, self.status()),
                     lambda: (self.link(name) or {}).get("state") in ("running", "nobody"))

    def cable(self, up):
        subprocess.run(["nsenter", "-t", str(self.case.hub.init), "-n", "ip", "link", "set", "to-" + self.name,
                        "up" if up else "down"], check=True)

    def kill(self):
        """The power goes."""
        if self.alive:
            os.kill(self.init, signal.SIGKILL)
            self.holder.wait()
            for p in self.processes:
                if p.popen.poll() is None:
                    os.kill(p.popen.pid, signal.SIGCONT) # an nsenter that was stopped with what it has started
                p.popen.wait(PATIENCE)
        self.alive = False


class Case(unittest.TestCase):
    """A hub with a server, and as many machines as a test wants."""
    hosts = ("a", "b")
    server_options = ""

    def setUp(self):
        self.root = tempfile.mkdtemp(prefix="strait-bridge-", dir="/tmp")
        self.addCleanup(shutil.rmtree, self.root, True)
        self.hub = Host(self, "hub", 1)
        self.addCleanup(self.hub.kill)
        self.on_hub("ip link add br0 type bridge && ip addr add 10.77.0.1/24 dev br0 && ip link set br0 up")
        self.url = "nats://10.77.0.1:4222"
        for i, name in enumerate(self.hosts):
            setattr(self, name, self.connect(Host(self, name, i + 2)))
        self.start_server()

    def tearDown(self):
        """Whatever a sanitized build has to complain of, it says on the way."""
        for host in [self.hub] + [getattr(self, name) for name in self.hosts]:
            for p in host.processes:
                for word in ("Sanitizer", "runtime error:"):
                    self.assertNotIn(word, p.errors(), p.name)

    def stranger(self, *arguments):
        """Somebody else's program on the hub."""
        return self.hub.run("stranger", STRANGER, self.url, *arguments)

    def ask(self, subject, header="-", text=""):
        p = self.stranger("ask", subject, header, text)
        self.assertEqual(p.end(), 0, p.errors())
        return p.text()[:-1]

    def ask_server(self, *tokens):
        text = self.ask("$JS.API." + ".".join(tokens))
        return json.loads(text[text.index("{"):])

    def unsettled(self, channel):
        """Messages that are not acknowledged: waiting, and given out."""
        consumer = self.ask_server("CONSUMER", "INFO", "strait_shop_" + channel, "strait")
        return consumer["num_pending"] + consumer["num_ack_pending"]

    def stored(self, channel):
        """Messages of the stream. A server that was killed may have there what was acknowledged."""
        return self.ask_server("STREAM", "INFO", "strait_shop_" + channel)["state"]["messages"]

    def on_hub(self, script):
        subprocess.run(["nsenter", "-t", str(self.hub.init), "-n", "sh", "-ec", script], check=True)

    def connect(self, host):
        self.addCleanup(host.kill)
        self.on_hub("ip link add to-%s type veth peer name eth0 netns %d; ip link set to-%s master br0 up"
                    % (host.name, host.init, host.name))
        subprocess.run(["nsenter", "-t", str(host.init), "-n", "sh", "-ec",
                        "ip addr add 10.77.0.%d/24 dev eth0; ip link set eth0 up" % host.number], check=True)
        return host

    def start_server(self):
        config = os.path.join(self.root, "server.conf")
        with open(config, "w") as f:
            f.write('listen: "10.77.0.1:4222"\nping_interval: "1s"\nping_max: 2\n'
                    'jetstream { store_dir: "%s/store" }\n%s\n' % (self.root, self.server_options))
        self.server = self.hub.run("nats", NATS, "-c", config)
        wait_for("the server: " + self.server.errors(), lambda: "Server is ready" in self.server.errors())

    def check_history(self, consumers, count, most_duplicates):
        """Nothing is lost; what came more than once came marked, all but once; and there are no more of those than promised."""
        seen = {}
        for p in consumers:
            for line in p.lines():
                if line != "ready":
                    number, attempts = line.split()
                    seen.setdefault(int(number), []).append(int(attempts))
        lost = [n for n in range(count) if n not in seen]
        self.assertEqual(lost, [], "lost")
        self.assertEqual([n for n in seen if n >= count], [], "never sent")
        unmarked = [n for n, a in seen.items() if len([x for x in a if x == 0]) > 1]
        self.assertEqual(unmarked, [], "came twice, and nothing says so")
        duplicates = sum(len(a) - 1 for a in seen.values())
        self.assertLessEqual(duplicates, most_duplicates, "duplicates")
        return duplicates

    def count_seen(self, consumers):
        return len({line.split()[0] for p in consumers for line in p.lines() if line != "ready"})


def main():
    if NATS is None:
        skip("nats-server is not installed")
    for tool in ("ip", "unshare", "nsenter"):
        if shutil.which(tool) is None:
            skip(tool + " is not installed")
    probe = subprocess.run(["unshare", "-n", "-m", "-p", "-f", "--mount-proc", "true"], capture_output=True)
    if probe.returncode:
        skip("no namespaces here: " + probe.stderr.decode(errors="replace").strip())
    unittest.main(argv=sys.argv[:1] + sys.argv[7:], verbosity=2)
