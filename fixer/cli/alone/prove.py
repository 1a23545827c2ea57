"""`fixer prove`: a repair rehearsed on a copy of the target."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import click

from fixer.cli import options, plans
from fixer.cli.commands import named, session_on, titles
from fixer.cli.options import Settings, common
from fixer.contract.project import scratch_named
from fixer.contract.scratch import Scratch
from fixer.errors import NeedsPermission
from fixer.model.choice import Choice
from fixer.model.plan import ATOMIC
from fixer.snapshots.proof import ALL, Proof
from fixer.snapshots.rehearsal import Wish
from fixer.snapshots.rehearsal import prove as proved


@click.command(name="prove")
@options.plan_file
@options.file_option("-o", "--output", help="Keep the proof for `fixer apply --proved`; - prints it.")
@options.mode_of_plan
@options.allow_hazards
@options.max_moved
@options.deep
@options.skip
@options.only
@click.option(
    "--sample",
    "--rows",
    "sample",
    type=click.IntRange(min=1),
    metavar="N",
    help="Copy N rows of each table, what they reference, and those behind findings.",
)
@click.option("--no-suite", is_flag=True, help="Do not run the contract suite at the copy.")
@common
def command(
    settings: Settings,
    plan_file: str | None,
    output: str | None,
    mode: str | None,
    allow_hazards: tuple[str, ...],
    max_moved: tuple[str, ...],
    deep: bool,
    skip: tuple[str, ...],
    only: tuple[str, ...],
    sample: int | None,
    no_suite: bool,
) -> int:
    """Rehearse a repair on a copy of the target: check, plan, apply, undo; only read the target."""
    choice = Choice(skip, only)
    given = plans.given(plan_file, mode, choice)
    if given:
        settings = replace(settings, contract=settings.contract or given.contract)
        plans.see_that_it_is_for(named(settings.contract, settings.scratch).name, given)
    wish = Wish(mode or ATOMIC, allow_hazards, deep, choice, max_moved or None, sample, not no_suite)
    scratch = Scratch.of(settings.scratch or scratch_named())
    with session_on(settings, None) as work:
        proof = proved(work, settings.schema, wish, scratch, given, titles(settings))
    if output:
        plans.write(output, proof.text() + "\n")
    if output != "-":
        settings.show("\n".join(_told(proof)), proof.text)
    return 0 if proof.ok and not proof.plan.left else NeedsPermission.exit_code


def _told(proof: Proof) -> Iterator[str]:
    """Yield what the rehearsal showed, line by line."""
    plan = proof.plan
    steps = f"Plan {plan.identity}, {len(plan.steps)} steps,"
    yield f"{steps} was rehearsed on a copy of {plan.target} in {proof.seconds:.0f} s."
    for name, each in proof.tables.items():
        part = "" if each.copied == ALL else f" ({each.copied})"
        yield f"  {name}: {each.rows} rows{part}; after the run: {each.repaired}; after undo: {each.undone}"
    yield from (f"differs: {each}" for each in proof.differing)
    yield from (f"left on the copy: {each}" for each in proof.left)
    yield from (f"the copy cannot have {each}" for each in proof.lacking)
    yield f"contract suite: {proof.suite}"
    yield from (f"failed: {each}" for each in proof.failed)
    yield f"undo: {proof.taken_back if plan.steps else 'there was nothing to undo'}"
    for name, (before, after) in proof.sequences.items():
        yield f"  {name} gives {after} next, {before} before the run: the suite drew numbers, and undo takes none back"
    yield "Not rehearsed: the rights of the role, and what others write meanwhile."
    if proof.ok and plan.steps:
        yield "Apply exactly this with: fixer apply --proved PROOF, the file of -o"
