"""Every file that docs/cluster.md gives to be copied is one that its reader understands."""

import ast
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

TEXT = (Path(__file__).resolve().parent.parent / "docs" / "cluster.md").read_text(encoding="utf-8")


def snippets(language: str) -> list[str]:
    found = re.findall(rf"^( *)```{language}\n(.*?)^ *```", TEXT, re.MULTILINE | re.DOTALL)
    return ["\n".join(line[len(indent) :] for line in body.splitlines()) + "\n" for indent, body in found]


def test_there_is_a_file_for_each_kind_of_cluster() -> None:
    assert "SLURMCluster(" in snippets("python")[0]
    kinds = [yaml.safe_load(snippet).get("kind") for snippet in snippets("yaml")]
    assert {"DaskCluster", "Job"} <= set(kinds)
    assert "nvidia-smi" in "".join(snippets("sh"))


@pytest.mark.parametrize("snippet", snippets("python"))
def test_python_files_are_python(snippet: str) -> None:
    ast.parse(snippet)


@pytest.mark.parametrize("snippet", snippets("python"))
def test_slurm_is_asked_for_what_dask_jobqueue_knows(snippet: str) -> None:
    jobqueue = pytest.importorskip("dask_jobqueue", reason="dask-jobqueue is not installed (pip install dask-jobqueue)")
    (call,) = [
        node for node in ast.walk(ast.parse(snippet)) if isinstance(node, ast.Call) and _name(node) == "SLURMCluster"
    ]
    asked = {keyword.arg: ast.literal_eval(keyword.value) for keyword in call.keywords}
    script = jobqueue.SLURMCluster.job_cls("tls://10.0.0.1:8786", name="w", **_of_a_job(asked)).job_script()
    assert "--nthreads 1" in script
    assert "--lifetime 225m" in script
    assert "export OMP_NUM_THREADS=1" in script


def _name(call: ast.Call) -> str:
    return call.func.id if isinstance(call.func, ast.Name) else ""


def _of_a_job(asked: dict[str | None, object]) -> dict[str, object]:
    return {str(key): value for key, value in asked.items() if key != "scheduler_options"}


@pytest.mark.parametrize("snippet", snippets("sh"))
def test_shell_commands_are_a_shells(snippet: str) -> None:
    shell = shutil.which("sh")
    if shell is None:
        pytest.skip("there is no sh here")
    subprocess.run([shell, "-n"], input=snippet, text=True, check=True)


def test_dask_reads_the_settings_of_tls() -> None:
    import dask.config
    from distributed.security import Security

    (settings,) = [yaml.safe_load(snippet) for snippet in snippets("yaml") if "ca-file" in snippet]
    with dask.config.set(dask.config.merge(dask.config.config, settings)):
        security = Security()
    assert security.require_encryption is True
    for role in ("scheduler", "worker", "client"):
        assert getattr(security, f"tls_{role}_cert") == "/etc/dask/cert.pem"
        assert getattr(security, f"tls_{role}_key") == "/etc/dask/key.pem"
    assert security.tls_ca_file == "/etc/dask/ca.pem"
