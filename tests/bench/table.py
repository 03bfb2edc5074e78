"""What `make bench` prints, and the part of it that results.json keeps."""

import json
import os
import platform


class Table:
    """row() is a line; close() says which aims were missed."""

    def __init__(self):
        self.missed, self.results = [], {}

    def row(self, name, value, unit, aim=None, most=None, key=None):
        """One line; `aim` is the least that is right, `most` the most; `key` names it in results.json."""
        verdict = ""
        if aim is not None or most is not None:
            good = value >= aim if aim is not None else value <= most
            verdict = f"  aim {'>=' if aim is not None else '<='} {aim if aim is not None else most:g}: {'met' if good else 'MISSED'}"
            if not good:
                self.missed.append(name)
        if key is not None:
            self.results[key] = round(value, 3)
        print(f"  {name:<44} {value:>10,.{2 if value < 100 else 0}f} {unit:<9}{verdict}", flush=True)

    def close(self, path):
        """A run of a few parts leaves the others' figures as they were."""
        if self.results:
            results = kept(path) | self.results
            with open(path, "w", encoding="utf-8") as file:
                json.dump(results, file, indent=4)
                file.write("\n")
        print("all aims met" if not self.missed else "aims missed: " + "; ".join(self.missed))


def kept(path):
    """What an earlier run wrote; nothing where there was none or it was cut off."""
    try:
        with open(path, encoding="utf-8") as file:
            return json.load(file)
    except (FileNotFoundError, ValueError):
        return {}


def machine():
    """One line: what the figures came from."""
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        model = next((line.split(":", 1)[1].strip() for line in file if line.startswith("model name")), platform.machine())
    load = os.getloadavg()[0]
    return f"{os.cpu_count()} processors ({model}), {platform.system()} {platform.release()}, load {load:.1f} at the start"
