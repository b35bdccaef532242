"""Keys in a PKCS#11 token (SoftHSM), reached through p11-kit-server's unix socket as a network HSM would be: everything
passes; while the server is gone messages wait and `status` says so; when it is back they go on by themselves."""

import os
import signal
import subprocess
import unittest
from pathlib import Path

import env
import submission
from case import Case

CLIENT = Path("/usr/lib/x86_64-linux-gnu/pkcs11/p11-kit-client.so")
MISSING = [what for what in (env.SOFTHSM, CLIENT, "/usr/bin/softhsm2-util", "/usr/bin/p11-kit") if not Path(what).exists()]


@unittest.skipIf(MISSING, f"no {', '.join(map(str, MISSING))}")
class Token(Case):
    def setUp(self):
        super().setUp()
        self.inst = self.installation(token=True, fresh_keys=True)
        self.socket = self.inst.folder / "p11.sock"
        self.server = None
        self.addCleanup(self.stop_server)

    def start_server(self):
        """Has the module and the token; the core has only the socket."""
        self.socket.unlink(missing_ok=True)
        self.server = subprocess.Popen(
            ["p11-kit", "server", "--foreground", "--provider", env.SOFTHSM, "--name", str(self.socket), "pkcs11:token=tpf"],
            env={**os.environ, "SOFTHSM2_CONF": str(self.inst.folder / "token/softhsm2.conf")},
            stdout=subprocess.DEVNULL, start_new_session=True)
        env.until("p11-kit server to listen", self.socket.exists)

    def stop_server(self):
        """And what it forked for its clients."""
        if self.server:
            os.killpg(self.server.pid, signal.SIGKILL)
            self.server.wait()
            self.server = None

    def through_socket(self):
        """An installation whose module is p11-kit's client."""
        inst = self.inst
        inst.module = CLIENT
        inst.wrap["core"] = ["env", "-u", "SOFTHSM2_CONF", f"P11_KIT_SERVER_ADDRESS=unix:path={self.socket}"]
        self.start_server()
        inst.start_core()
        inst.make_keys()
        inst.key_file = inst.folder / "nokler.xml"
        inst.ctl("keys", "publish", "--out", inst.key_file)
        inst.ctl("keys", "signing", "--out", inst.folder / "tpf-signing.pem")
        self.keys = submission.read_key_file(inst.key_file.read_bytes())
        return inst

    def test_through_a_socket_that_goes_away_and_comes_back(self):
        inst = self.through_socket()
        self.assertEqual(inst.ask("status")["keys"]["token"]["state"], "there")
        first = inst.submit(self.good().build())
        inst.wait_state(first, "committed")
        self.assertEqual({key["id"]: key.get("place") for key in inst.ask("keys list")["keys"] if key["kind"] in ("message", "pseudonym")},
                         {"TPF-2026": "token", "PSEUDONYM-IPLOS-1": "token", "PSEUDONYM-IPLOS-2": "wrapped", "PSEUDONYM-KPR-1": "token"})
        self.assertTrue(inst.ctl("keys", "check", json_output=True)["good"])
        inst.wrap["ctl"] = ["env", f"CREDENTIALS_DIRECTORY={inst.folder}/credentials"]
        made = inst.ctl("keys", "backup", "--shares", "3", "--threshold", "2", "--out", inst.folder / "tmp/backup",
                        "--reason", "a test").stdout.decode()
        self.assertRegex(made, "TPF-2026 .*NOT IN THE BACKUP: it lies in the token")
        self.assertRegex(made, "PSEUDONYM-IPLOS-2 .*opens with the token's wrapping key only")
        self.assertNotRegex(made, "SIGN-2026 .*(token|BACKUP)")
        self.stop_server()
        second = inst.submit(self.good().build())
        env.until("status to say that the token is away", lambda: inst.ask("status")["keys"]["token"]["state"] == "away")
        env.until("the message to wait", lambda: any(row["code"] == "NOKKEL_MANGLER" for row in inst.ask("status")["waiting"]))
        shown = inst.ctl("status").stdout.decode()
        self.assertIn("token      away since", shown)
        self.assertEqual(inst.row(second)["state"], "claimed")
        self.assertFalse(inst.ctl("keys", "check", json_output=True, check=False)["good"])
        # A start without it: what needs no token works, the rest waits.
        self.assertEqual(inst.core.stop(), 0)
        inst.start_core()
        self.assertEqual(inst.ask("status")["keys"]["token"]["state"], "away")
        self.assertEqual(inst.row(second)["state"], "claimed")
        self.start_server()
        inst.wait_state(second, "committed")
        self.assertEqual(inst.ask("status")["keys"]["token"]["state"], "there")
        self.assertTrue(inst.ctl("keys", "check", json_output=True)["good"])

    def test_a_wrong_pin_stops_the_start_and_is_tried_once(self):
        inst = self.inst
        (inst.folder / "credentials/pkcs11-pin").write_text("000000\n")
        inst.write_config()
        process = env.Process(inst.core_arguments(), inst.folder / "tpfd.log", inst.core_env)
        self.assertEqual(process.wait(), 78)
        self.assertIn("does not take the PIN", inst.log_tail("tpfd.log"))
        self.assertNotIn("000000", inst.log_tail("tpfd.log", 100))

    def test_no_token_where_the_ring_needs_one(self):
        inst = self.inst
        inst.start_core()
        inst.ctl("keys", "generate", "--reason", "a test", "--kind", "message", "--id", "TPF-2026", "--place", "token")
        self.assertEqual(inst.core.stop(), 0)
        inst.token = False
        inst.write_config()
        process = env.Process(inst.core_arguments(), inst.folder / "tpfd.log", inst.core_env)
        self.assertEqual(process.wait(), 78)
        self.assertIn("lies in a token, and the configuration names none", inst.log_tail("tpfd.log"))
