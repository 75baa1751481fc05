"""The three planes of a toy: its cells, the same codes softly, and the annealed codebook.

Headings are short enough for planes of 140 pixels, in a narrow window.
"""

from __future__ import annotations

from lgq_explore import plots
from lgq_explore.analysis.toys import ToyView


def hard_plane(view: ToyView, method: str) -> plots.toys.PlanePanel:
    """Whose place is whose, by the method's own choice."""
    numbers = view.hard_numbers
    dead = f", {numbers['dead_codes']} dead ×" if numbers["dead_codes"] else ""
    return plots.toys.PlanePanel(
        f"<b>Hard</b>, {method}'s cells<br>{numbers['active_codes']} of {numbers['codes']} used{dead}",
        view.hard.cells,
        view.plane.centres_x,
        view.plane.centres_y,
        view.hard.codes,
        view.hard.edges,
    )


def no_temperature(method: str) -> str:
    """What the plane in the middle shows of a method without a temperature."""
    return f"{method} has no temperature: in the middle is what a soft assignment would make of its codes"


def soft_plane(view: ToyView, temperature: float) -> plots.toys.PlanePanel:
    """The same codes, shared at a temperature."""
    soft = view.soft(temperature)
    return plots.toys.PlanePanel(
        f"<b>Soft</b>, τ = {temperature:.3g}<br>{view.soft_numbers(temperature)['effective_codes']:.2f} codes a point",
        soft.shared,
        view.plane.centres_x,
        view.plane.centres_y,
        soft.codes,
        view.hard.edges,
    )


def equilibrium_plane(view: ToyView, temperature: float) -> plots.toys.PlanePanel:
    """The codebook that annealing gives at a temperature."""
    numbers, equilibrium = view.equilibrium_numbers(temperature), view.equilibrium(temperature)
    together, parting = numbers["distinct_centres"], "" if numbers["settled"] else ", parting"
    return plots.toys.PlanePanel(
        f"<b>Equilibrium</b>, τ = {temperature:.3g}<br>{together} of {len(view.codebook)} distinct{parting}",
        equilibrium.shared,
        view.plane.centres_x,
        view.plane.centres_y,
        equilibrium.codes,
    )


def no_equilibrium_plane(view: ToyView, why: str) -> plots.toys.PlanePanel:
    """The points alone, where the codebook is not annealed: why, in a few words."""
    return plots.toys.PlanePanel(f"<b>Equilibrium</b><br>{why}", None, view.plane.centres_x, view.plane.centres_y, None)
