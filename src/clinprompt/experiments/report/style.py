"""The style sheet of the page: light and dark, screens of any width, and paper."""

from __future__ import annotations

from clinprompt.experiments.report.looks import (
    DARK,
    INK,
    LIGHT,
    LINE,
    LOSS,
    PAGE,
    SOFT,
    WIN,
    dark_css,
    picture_css,
)

_RULES = """
*{box-sizing:border-box}
html{-webkit-text-size-adjust:100%;scroll-behavior:smooth}
@media(prefers-reduced-motion:reduce){html{scroll-behavior:auto}}
body{margin:0;background:var(--page);color:var(--ink);
 font:15px/1.55 system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif}
a{color:var(--link)}
:focus-visible{outline:3px solid var(--link);outline-offset:2px}
.skip{position:absolute;left:-99rem}
.skip:focus{left:1rem;top:.5rem;background:var(--card);padding:.4rem .8rem;z-index:9}
header,main,footer{max-width:86rem;margin:0 auto;padding:0 1.75rem}
header{padding-top:2rem}
h1{font-size:1.75rem;line-height:1.2;margin:0 0 .25rem;letter-spacing:-.01em;
 overflow-wrap:anywhere}
h2{font-size:1.25rem;margin:3rem 0 .5rem;scroll-margin-top:4rem;letter-spacing:-.005em}
h3{font-size:1rem;margin:1.8rem 0 .5rem}
p{max-width:52rem;margin:.5rem 0}
.sub{color:var(--soft);margin:0 0 1.1rem}
.key{display:flex;flex-wrap:wrap;gap:.6rem;margin:1.1rem 0 .4rem;padding:0;list-style:none}
.key li{background:var(--card);border:1px solid var(--line);border-radius:10px;
 padding:.55rem 1rem .5rem;min-width:7.5rem}
.key b{display:block;font-size:1.3rem;line-height:1.25;font-variant-numeric:tabular-nums}
.key span{font-size:.8rem;color:var(--soft)}
.key .bad{border-color:var(--loss)}.key .bad b{color:var(--loss)}
nav{position:sticky;top:0;z-index:5;background:var(--page);border-bottom:1px solid var(--line)}
nav ul{display:flex;gap:.2rem 1.3rem;overflow-x:auto;list-style:none;max-width:86rem;margin:0 auto;
 padding:.65rem 1.75rem;white-space:nowrap;font-size:.87rem}
nav a{text-decoration:none;color:var(--soft)}
nav a:hover{color:var(--link);text-decoration:underline}
.warning{border-left:4px solid var(--loss);background:var(--card);border-radius:0 8px 8px 0;
 padding:.7rem 1rem;max-width:none;overflow-wrap:anywhere}
.banner{margin:0 0 1.5rem;font-weight:600}
.note{color:var(--soft);font-size:.87rem}
ul.points{padding-left:1.2rem;max-width:56rem}
ul.points li{margin:.25rem 0;overflow-wrap:anywhere}
.card{background:var(--card);border:1px solid var(--line);border-radius:10px;margin:.8rem 0}
.scroll{overflow-x:auto;-webkit-overflow-scrolling:touch}
table{border-collapse:separate;border-spacing:0;font-size:.85rem;min-width:100%}
caption{caption-side:top;text-align:left;padding:.7rem .9rem .5rem;color:var(--soft);
 font-size:.87rem}
caption span{position:sticky;left:.9rem;display:block;max-width:min(52rem,calc(100vw - 5rem))}
th,td{padding:.4rem .65rem;text-align:left;vertical-align:top;border-top:1px solid var(--line)}
thead th{color:var(--soft);font-weight:600;font-size:.78rem;vertical-align:bottom;
 white-space:nowrap}
thead small{font-weight:400}
tbody th{font-weight:500;position:sticky;left:0;background:var(--card);min-width:8rem;
 max-width:18rem;overflow-wrap:anywhere;z-index:1}
tbody th.m{white-space:nowrap;padding-right:1.4rem}
tbody tr:hover>*{background:var(--hover)}
tr.group th{position:static;background:var(--band)!important;font-weight:600;font-size:.8rem;
 padding:.35rem .8rem}
tr.group th span{position:sticky;left:.8rem}
.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
td small,th small{display:block;color:var(--soft);font-size:.76rem;line-height:1.3}
td.wide{min-width:18rem;white-space:normal;overflow-wrap:anywhere}
.best{font-weight:700}.best small,.total small{font-weight:400}
.win,.win small{color:var(--win)}.loss,.loss small{color:var(--loss)}
.win,.loss{font-weight:600}.win small,.loss small{font-weight:400}
.missing,.failed,.absent,.tie,.open{color:var(--soft)}
.missing,.failed{font-style:italic}
.failed,.bad{color:var(--loss)}
.total{font-weight:600}
figure{margin:.8rem 0;padding:.9rem 1rem}
figcaption{font-size:.87rem;color:var(--soft);max-width:52rem;margin-bottom:.7rem}
figcaption b{display:block;color:var(--ink);font-size:.95rem}
.legend{display:flex;flex-wrap:wrap;gap:.2rem 1.2rem;margin:0 0 .7rem;padding:0;list-style:none;
 font-size:.83rem}
.legend li{display:flex;align-items:center;gap:.45rem}
.panels{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(var(--w),100%),1fr));
 gap:1.1rem 1.4rem}
.panels svg{width:100%;height:auto;max-width:calc(var(--w)*1.25)}
.panels.one{grid-template-columns:minmax(0,calc(var(--w)*1.25))}
.panels.rigid{display:block;overflow-x:auto}
.panels.rigid svg{width:auto;max-width:none;display:block;margin-bottom:1rem}
.mk{width:14px;height:14px;vertical-align:-2px;margin-right:.4rem}
details{margin:.35rem 0}
summary{cursor:pointer;color:var(--link);font-size:.92rem;padding:.25rem 0}
pre{background:var(--card);border:1px solid var(--line);border-radius:10px;padding:.9rem 1rem;
 overflow:auto;max-height:34rem;font-size:.8rem;line-height:1.5}
.example{padding:.7rem 1rem}
.example h4{margin:0 0 .4rem;font-size:.87rem;overflow-wrap:anywhere}
.example dt{color:var(--soft);font-size:.78rem}
.example dd{margin:0 0 .5rem;white-space:pre-wrap;overflow-wrap:anywhere;font-size:.87rem}
.ctl::before{content:attr(data-l);font-size:.65em;border:1px dashed var(--soft);
 color:var(--soft);padding:0 .25em}
footer{margin-top:3.5rem;padding-bottom:2.5rem;color:var(--soft);font-size:.8rem}
@media(max-width:40rem){header,main,footer,nav ul{padding-left:.9rem;padding-right:.9rem}
 h1{font-size:1.4rem}figure{padding:.7rem .6rem}
 th,td{padding:.35rem .55rem}tbody th{max-width:9rem;min-width:6rem}
 tbody th.m{white-space:normal;min-width:7.5rem;padding-right:.55rem}}
@media print{
 *{-webkit-print-color-adjust:exact;print-color-adjust:exact}
 @page{size:A4 landscape;margin:12mm}
 body{background:#fff;font-size:9.5pt}
 nav,.skip{display:none}
 header,main,footer{max-width:none;padding:0}
 .scroll,.panels.rigid,pre{overflow:visible;max-height:none}
 pre{white-space:pre-wrap}
 tbody th{position:static}
 table{font-size:6.8pt}th,td{padding:.15rem .25rem}td small,th small{font-size:5.6pt}
 thead th,tr.group th,caption{font-size:6.8pt;padding-top:.2rem;padding-bottom:.2rem}
 thead th{white-space:normal}tbody th.m{padding-right:.3rem}.mk{width:9px;height:9px}
 figure,tr,.example,.key{break-inside:avoid}
 .panels:not(.one){grid-template-columns:repeat(3,1fr)}.panels.rigid svg{max-width:100%;height:auto}
 h2,h3,caption,figcaption{break-after:avoid}
 thead{display:table-header-group}
 details::details-content{content-visibility:visible;display:block}
}
"""


def _variables(mode: str) -> str:
    dark = mode == "dark"
    own = {
        "page": "#11151b" if dark else "#f5f6f8",
        "card": PAGE[mode],
        "ink": INK[mode],
        "soft": SOFT[mode],
        "line": LINE[mode],
        "link": "#83b4ff" if dark else "#1f5fbf",
        "hover": "#202833" if dark else "#f7f9fb",
        "band": "#222b36" if dark else "#eef1f5",
        "win": WIN[mode],
        "loss": LOSS[mode],
    }
    return "".join(f"--{name}:{value};" for name, value in own.items())


def style() -> str:
    """All rules. Paper is light, whatever the screen is."""
    markers = "".join(f".mk.c{n}{{color:{c}}}" for n, c in enumerate(LIGHT))
    dark = "".join(f".mk.c{n}{{color:{c}}}" for n, c in enumerate(DARK))
    return (
        f":root{{color-scheme:light dark;{_variables('light')}}}{picture_css()}{markers}"
        "@media screen and (prefers-color-scheme:dark){"
        f":root{{{_variables('dark')}}}{dark_css()}{dark}}}{_RULES}"
    )
