"""A Slurm of one node without systemd, cgroups or accounting, for one test; needs root."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from pathlib import Path

LINK = Path("/etc/slurm/slurm.conf")  # the plugin drops SLURM_* from its jobs, so the default place must hold

CONFIG = """\
ClusterName=cimlnk
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort=16817
SlurmdPort=16818
AuthType=auth/munge
AuthInfo=socket={folder}/munge/socket
CredType=cred/munge
SlurmUser=root
SlurmdUser=root
StateSaveLocation={folder}/controller
SlurmdSpoolDir={folder}/node
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/linux
MpiDefault=none
ReturnToService=2
SlurmdParameters=config_overrides
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SchedulerParameters=batch_sched_delay=0,sched_interval=1,bf_interval=1
MinJobAge=3600
AccountingStorageType=accounting_storage/none
NodeName={host} NodeAddr=127.0.0.1 CPUs=4 RealMemory={memory} State=UNKNOWN
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""


def taken() -> bool:
    """Whether a Slurm answers on this machine: one more would take its settings away."""
    return shutil.which("sinfo") is not None and subprocess.run(["sinfo"], capture_output=True).returncode == 0


class Slurm:
    """Started on construction, stopped by :meth:`stop`; `commands` goes first into PATH."""

    def __init__(self, folder: Path) -> None:
        if taken():
            raise RuntimeError("a Slurm is at work on this machine: it is left alone")
        self.folder, self.commands = folder, folder / "bin"
        for name in ("munge", "controller", "node"):
            (folder / name).mkdir(parents=True)
        # munged refuses a key or a socket folder that others could write, and runs as its own user
        for parent in (folder, *folder.parents):
            if parent.stat().st_uid == 0 and parent != Path("/tmp"):
                parent.chmod(0o755)
            if parent == Path("/tmp"):
                break
        key = folder / "munge" / "key"
        key.write_bytes(os.urandom(1024))
        key.chmod(0o400)
        subprocess.run(["chown", "-R", "munge", str(folder / "munge")], check=True)
        pages, size = os.sysconf("SC_PHYS_PAGES"), os.sysconf("SC_PAGE_SIZE")
        host = socket.gethostname().split(".")[0]
        config = folder / "slurm.conf"
        config.write_text(CONFIG.format(host=host, folder=folder, memory=int(0.9 * pages * size / 2**20)))
        LINK.parent.mkdir(parents=True, exist_ok=True)
        LINK.unlink(missing_ok=True)
        LINK.symlink_to(config)
        munge = folder / "munge"
        files = {"socket": "socket", "key-file": "key", "pid-file": "pid", "log-file": "log", "seed-file": "seed"}
        flags = [f"--{flag}={munge / name}" for flag, name in files.items()]
        subprocess.run(["runuser", "-u", "munge", "--", "/usr/sbin/munged", *flags], check=True)
        subprocess.run(["/usr/sbin/slurmctld", "-i"], check=True)
        subprocess.run(["/usr/sbin/slurmd"], check=True)
        for _ in range(100):
            state = subprocess.run(["sinfo", "-h", "-o", "%T"], capture_output=True, text=True)
            if "idle" in state.stdout:
                self._answer_at_once()
                return
            time.sleep(0.2)
        raise RuntimeError("the Slurm node did not become idle: " + (folder / "slurmctld.log").read_text()[-2000:])

    def _answer_at_once(self) -> None:
        """A busy machine takes longer than the plugin waits to show its settings; without them it asks `sacct`, which
        knows no job where there is no accounting. What they are is written down once, in a folder for PATH."""
        scontrol = shutil.which("scontrol")
        shown = subprocess.run([str(scontrol), "show", "config"], capture_output=True, text=True, check=True).stdout
        self.commands.mkdir()
        (self.folder / "shown").write_text(shown)
        script = f'#!/bin/sh\n[ "$*" = "show config" ] && exec cat {self.folder}/shown\nexec {scontrol} "$@"\n'
        self._command("scontrol", script)
        # The plugin asks ten seconds later each time that nothing has ended: here it is answered as soon as something
        # has, or after 40 s.
        self._command(
            "squeue",
            f"""#!/bin/sh
case "$*" in *--name*) ;; *) exec {shutil.which("squeue")} "$@" ;; esac
for i in $(seq 80); do
  shown=$({shutil.which("squeue")} "$@") || exit
  ended=$(echo "$shown" | grep -v -e PENDING -e RUNNING -e CONFIGURING -e COMPLETING)
  if [ -n "$ended" ] && [ "$ended" != "$(cat {self.folder}/ended 2>&1)" ]; then break; fi
  sleep .5
done
echo "$ended" >{self.folder}/ended
echo "$shown"
""",
        )

    def _command(self, name: str, script: str) -> None:
        (self.commands / name).write_text(script)
        (self.commands / name).chmod(0o755)

    def stop(self) -> None:
        subprocess.run(["scancel", "--user", "root"], check=False)
        for name in ("slurmd.pid", "slurmctld.pid", "munge/pid"):
            file = self.folder / name
            if file.is_file():
                subprocess.run(["kill", file.read_text().strip()], check=False)
        LINK.unlink(missing_ok=True)
