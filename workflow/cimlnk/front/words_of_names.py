"""What the words of a file name say: patient, day, time point, product, run, condition; and dates of acquisition."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from datetime import date, datetime

DAY = re.compile(r"(?i)^(?:d|day|tag)[_ ]?([+-]?\d{1,4})$")
WEEK = re.compile(r"(?i)^(?:w|wk|week)[-_ ]?(\d{1,3})$")
MONTH = re.compile(r"(?i)^(?:m|mo|month)[-_ ]?(\d{1,3})$|^(\d{1,2})mo$")
HOUR = re.compile(r"(?i)^(\d{1,3})(?:h|hr|hrs|hours?)$")
BEFORE = re.compile(r"(?i)^(pre|prae|prä|base|baseline|bl|screen|screening|scr|before|pretreatment)$")
BASAL = re.compile(r"(?i)^(ref|reference|unstim|unstimulated|control|ctrl|basal|resting|untreated)$")
TIMES = (DAY, WEEK, MONTH, HOUR, BEFORE)
PRODUCT = re.compile(r"(?i)^(product|infusion|infused|ip|dp|graft)$")
PERSON = re.compile(
    r"(?i)^(?:p|pt|pat|patient|donor|subj|subject|hd|nd|hc|healthy|ind|id|vol|volunteer|upn|control|ctrl)[-_ ]?\d+\w*$"
)
RUN = re.compile(r"(?i)^(?:run|batch|plate|pool|data|b|chip|exp)[-_ ]?\d+\w*$")
CONDITION = re.compile(r"(?i)^(ref|reference|unstim|basal|ctrl|control|stim|il-?\d+|lps|pma|bcr-?xl)$")
ACCESSION = re.compile(r"(GSM|GSE|SRR|SRX|SAMN|SAMEA|ERR|ERX|ERS)\d+$")  # a file's number in a repository
LEAST_NAMED = 0.8  # of the files by one kind of word
DATE_FORMATS = ("%d-%b-%Y", "%Y-%b-%d", "%d-%B-%Y", "%Y-%m-%d", "%m/%d/%Y", "%d.%m.%Y")


def parse_date(text: str | None) -> date | None:
    """$DATE of an FCS file (``05-Jul-2016`` and its relatives), None where it is none."""
    for form in DATE_FORMATS:
        try:
            return datetime.strptime((text or "").strip(), form).date()
        except ValueError:
            continue
    return None


def tokens(name: str) -> list[str]:
    """The words of a file name; a word that names a kind and the number behind it are one (``Control_1``).

    A word that has its number already (``ND050_15``) takes no second one.
    """
    words = [w for w in re.split(r"[_\s.]+", unicodedata.normalize("NFC", name)) if w]  # macOS parts ä in two
    words = [w for w in words if not ACCESSION.match(w)] or words
    joined: list[str] = []
    for word in words:
        if re.fullmatch(r"\d{1,3}", word) and joined and joined[-1][-1:].isalpha() and PERSON.match(joined[-1] + word):
            joined[-1] += word
        elif re.fullmatch(r"\d{1,3}", word) and joined and re.fullmatch(r"(?i)week|month|run|batch", joined[-1]):
            joined[-1] += word
        elif re.fullmatch(r"[+-]?\d{1,4}", word) and joined and re.fullmatch(r"(?i)day|tag", joined[-1]):
            joined[-1] += word
        else:
            joined.append(word)
    return joined


def parts_of_names(names: Sequence[str]) -> dict[str, dict[str, str]]:
    """Word -> its guessed meaning per file, for the words in which the names differ, and for those of a time point, a
    product or a run that all have, where they have no other of that kind (the files of one visit, of one batch).

    Returns
    -------
    dict
        File name -> {patient, day, timepoint, tissue, batch, condition}: those that could be told.
    """
    split = {n: tokens(n) for n in names}
    common = set.intersection(*(set(w) for w in split.values())) if len(split) > 1 else set()
    persons = {n: next((w for w in words if PERSON.match(w) and w not in common), None) for n, words in split.items()}
    if sum(p is not None for p in persons.values()) < LEAST_NAMED * len(names):
        persons = dict.fromkeys(names)  # a few chance hits: another word tells the patients
        one = [w for w in split[names[0]] if w in common and PERSON.match(w)]
        if len(one) == 1:  # all files are of one patient
            persons, common = dict.fromkeys(names, one[0]), common - set(one)
    for forms in (TIMES, (PRODUCT,)):
        if len(shared := _of_kind(split, forms, persons)) == 1:
            common -= shared
    found: dict[str, dict[str, str]] = {n: {} for n in names}
    free: dict[str, list[str]] = {}
    for name, words in split.items():
        rest = []
        for word in words:
            if word in common:
                continue
            if _fits(word, TIMES):
                found[name].setdefault("timepoint", word)
            elif PRODUCT.match(word):
                found[name].setdefault("tissue", "product")
                found[name].setdefault("timepoint", word)
            elif word == persons[name]:
                found[name].setdefault("patient", word)
            elif RUN.match(word):
                found[name].setdefault("batch", word)
            elif CONDITION.match(word):
                found[name].setdefault("condition", word)
            else:
                rest.append(word)
        free[name] = rest
    width = min((len(w) for w in free.values()), default=0)
    columns = [[free[n][i] for n in names] for i in range(width)]
    # What is left over: the first free word is the patient if no word said so, else the batch.
    for what in ("patient", "batch"):
        if any(what in f for f in found.values()) or not columns or len(names) < 2:
            continue
        if what == "batch" and len(set(columns[0])) > len(names) / 2:
            continue
        for name, word in zip(names, columns.pop(0), strict=True):
            found[name].setdefault(what, word)
    run = _of_kind(split, (RUN,), persons) & common
    if len(run) == 1 and not any("batch" in f for f in found.values()):  # words that tell files apart go first
        for own in found.values():
            own["batch"] = next(iter(run))
    return found


def _of_kind(
    split: Mapping[str, Sequence[str]], forms: Sequence[re.Pattern[str]], persons: Mapping[str, str | None]
) -> set[str]:
    """The words of a kind in any of the names, but for those of persons."""
    return {w for name, words in split.items() for w in words if _fits(w, forms) and w != persons[name]}


def _fits(word: str, forms: Sequence[re.Pattern[str]]) -> bool:
    return any(form.match(word) for form in forms)


def run_of_all(names: Sequence[str]) -> str:
    """A word like ``PTLG034`` that all names hold, which may be their run, in words; "" if there is none or several.

    Examples
    --------
    >>> run_of_all(["PTLG034_Control_1", "PTLG034_Control_2"]), run_of_all(["P1_D0", "P1_D7"])
    ('all names hold PTLG034: a run?', '')
    """
    other = (*TIMES, PRODUCT, PERSON, CONDITION)
    shared = set.intersection(*(set(tokens(n)) for n in names)) if len(names) > 1 else set()
    coded = [w for w in shared if re.fullmatch(r"[A-Za-z]{2,}[-_]?\d+", w) and not _fits(w, other)]
    return f"all names hold {coded[0]}: a run?" if len(coded) == 1 else ""


def day_of(word: str) -> int | None:
    """The day a time point's name says (``D28``, ``week4``, ``pre`` = -1), None if it says none."""
    if hit := DAY.match(word):
        return int(hit[1])
    if hit := WEEK.match(word):
        return 7 * int(hit[1])
    if hit := MONTH.match(word):
        return 30 * int(hit[1] or hit[2])
    if hit := HOUR.match(word):
        return int(hit[1]) // 24
    return -1 if BEFORE.match(word) else None
