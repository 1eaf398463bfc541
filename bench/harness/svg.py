"""Curves as SVG: logarithmic x, medians with whiskers, y from zero."""
from html import escape
from math import log

# Greys and colours that can be read on white and on nearly black.
INK, GRID = "#7d7d7d", "#7d7d7d40"
COLOURS = ("#2f81f7", "#d9822b", "#3fa45b", "#a371f7")
WIDTH, HEIGHT = 400, 300  # of a panel
LEFT, RIGHT, TOP, BOTTOM = 58, 14, 52, 44


def nice(top):
    """The step of at most six round ones that reach the top."""
    unit = 10 ** (len("%d" % top) - 1) if top >= 1 else 1.0
    while unit * 2 > top:
        unit /= 10
    for step in (0.2, 0.5, 1, 2, 5, 10):
        if step * unit * 6 >= top:
            return step * unit
    return unit * 20


def number(v):
    return "{:,}".format(int(v)) if v == int(v) else "%.4g" % v


class Panel:
    """series: [(name, [(x, median, least, most)])]"""

    def __init__(self, title, unit, xtitle, series):
        self.title, self.unit, self.xtitle = title, unit, xtitle
        self.series = [s for s in series if s[1]]
        self.xs = sorted({p[0] for s in self.series for p in s[1]})
        top = max([p[3] for s in self.series for p in s[1]] or [0]) or 1
        self.step = nice(top * 1.1)
        self.top = self.step * -(-top * 1.05 // self.step)
        self.out = []

    def x(self, v):
        lo, hi = log(self.xs[0]), log(self.xs[-1])
        share = 0.5 if hi == lo else (log(v) - lo) / (hi - lo)
        return LEFT + 12 + share * (WIDTH - LEFT - RIGHT - 24)

    def y(self, v):
        return TOP + (1 - v / self.top) * (HEIGHT - TOP - BOTTOM)

    def line(self, x1, y1, x2, y2, colour, more=""):
        self.out.append(
            '<line x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f" stroke="%s"%s/>'
            % (x1, y1, x2, y2, colour, more)
        )

    def text(self, x, y, s, anchor="middle", more=""):
        self.out.append(
            '<text x="%.1f" y="%.1f" text-anchor="%s"%s>%s</text>'
            % (x, y, anchor, more, escape(s))
        )

    def axes(self):
        self.text(LEFT, 18, self.title, "start", ' font-weight="bold"')
        self.text(LEFT - 50, TOP - 8, self.unit, "start")
        v = 0.0
        while v <= self.top * 1.001:
            self.line(LEFT, self.y(v), WIDTH - RIGHT, self.y(v), GRID)
            self.text(LEFT - 6, self.y(v) + 4, number(round(v, 6)), "end")
            v += self.step
        base, last = HEIGHT - BOTTOM, None
        self.line(LEFT, base, WIDTH - RIGHT, base, INK)
        for x in self.xs:
            self.line(self.x(x), base, self.x(x), base + 4, INK)
            if last is None or self.x(x) - last > 46:
                self.text(self.x(x), base + 17, number(x))
                last = self.x(x)
        self.text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 8, self.xtitle)

    def curve(self, points, colour):
        for x, mid, least, most in points:
            px = self.x(x)
            self.line(px, self.y(least), px, self.y(most), colour)
            for v in (least, most):
                self.line(px - 3, self.y(v), px + 3, self.y(v), colour)
        self.out.append(
            '<polyline points="%s" fill="none" stroke="%s" stroke-width="2"/>'
            % (
                " ".join(
                    "%.1f,%.1f" % (self.x(p[0]), self.y(p[1])) for p in points
                ),
                colour,
            )
        )
        for p in points:
            self.out.append(
                '<circle cx="%.1f" cy="%.1f" r="3.5" fill="%s"/>'
                % (self.x(p[0]), self.y(p[1]), colour)
            )

    def draw(self):
        self.axes()
        at = LEFT
        for (name, points), colour in zip(self.series, COLOURS):
            self.curve(points, colour)
            self.out.append(
                '<circle cx="%.1f" cy="31" r="4" fill="%s"/>'
                % (at + 4, colour)
            )
            self.text(at + 13, 35, name, "start")
            at += 30 + 6.4 * len(name)
        return "\n".join(self.out)


def picture(panels):
    """Side by side; the text of a whole file."""
    width = WIDTH * len(panels)
    body = "".join(
        '<g transform="translate(%d 0)">\n%s\n</g>\n'
        % (i * WIDTH, p.draw())
        for i, p in enumerate(panels)
    )
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" '
        'viewBox="0 0 %d %d" role="img" font-family="sans-serif" '
        'font-size="12" fill="%s">\n<title>%s</title>\n%s</svg>\n'
        % (
            width,
            HEIGHT,
            width,
            HEIGHT,
            INK,
            escape("; ".join(p.title for p in panels)),
            body,
        )
    )
