"""Charts of answers: a function takes an answer and gives an altair chart, `save` writes any of them.

altair and vl-convert are an extra (``planner[charts]``), imported with the module that draws::

    from planner.charts import save
    from planner.charts.plan import front, power, cost, racks, fabric, overview

    save(overview(plan), "plan.svg")
"""

from planner.charts.save import FORMATS, check_path, save, to_html, to_svg

__all__ = ["FORMATS", "check_path", "save", "to_html", "to_svg"]
