"""The style sheet of the pages. Each page carries its own copy: a page is one file."""

from __future__ import annotations

from clinprompt.documents.html_colours import Palette

_LIGHT = (
    "--page:#f5f6f8;--card:#fff;--ink:#1b2330;--soft:#5a6675;--line:#dfe3e9;--link:#1f5fbf;"
    "--hit:#fff3c4;--zebra:#fafbfc;"
)
_DARK = (
    "--page:#11151b;--card:#191f27;--ink:#e3e8ef;--soft:#97a3b2;--line:#2c3541;--link:#83b4ff;"
    "--hit:#4a4014;--zebra:#1d242d;"
)
_RULES = """
*{box-sizing:border-box}
html{-webkit-text-size-adjust:100%}
body{margin:0;background:var(--page);color:var(--ink);
 font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif}
main,header.top{max-width:74rem;margin:0 auto;padding:0 1.5rem}
header.top{padding-top:1.6rem}
a{color:var(--link);text-decoration:none}
a:hover{text-decoration:underline}
nav{display:flex;gap:1.2rem;font-size:.87rem;color:var(--soft)}
nav .gap{flex:1}
h1{font-size:1.45rem;line-height:1.25;margin:.5rem 0 .3rem;overflow-wrap:anywhere}
h2{font-size:1rem;margin:2rem 0 .6rem;display:flex;align-items:baseline;gap:.5rem}
h2 small,.sum{font-weight:400;color:var(--soft);font-size:.87rem}
.sum{margin:0 0 1rem}
.sum span+span::before{content:"·";margin:0 .5em}
.facts{display:flex;flex-wrap:wrap;gap:.2rem 1.4rem;margin:0 0 1rem;font-size:.87rem}
.facts div{display:flex;gap:.4em}
.facts dt{color:var(--soft)}
.facts dd{margin:0;overflow-wrap:anywhere}
.card{background:var(--card);border:1px solid var(--line);border-radius:10px}
.legend{display:flex;flex-wrap:wrap;gap:.35rem .45rem;margin:0 0 .8rem;padding:0;list-style:none}
.legend li{display:flex;align-items:center;gap:.45em;font-size:.8rem;border-radius:99px;
 padding:.12rem .7rem;background:var(--b);color:var(--c);font-weight:600}
.legend b{font-weight:400;font-variant-numeric:tabular-nums}
.note{padding:1.3rem 1.6rem;font-size:1rem;white-space:pre-wrap;overflow-wrap:anywhere;
 unicode-bidi:plaintext;line-height:var(--lead)}
.p{background-repeat:no-repeat;padding:.1em 0 var(--below);-webkit-box-decoration-break:clone;
 box-decoration-break:clone;border-radius:2px}
.tag{-webkit-user-select:none;user-select:none;font-size:.68em;font-weight:600;line-height:1;
 padding:.18em .45em;margin:0 .12em 0 .28em;border-radius:4px;vertical-align:.1em;
 white-space:nowrap;background:var(--c);color:var(--card);scroll-margin:6rem}
.tag::before,.ctl::before,.sec::before{content:attr(data-l);unicode-bidi:isolate}
.tag:hover{text-decoration:none;filter:brightness(1.15)}
.tag:target{outline:3px solid var(--ink);outline-offset:1px}
.ctl,.sec{-webkit-user-select:none;user-select:none;font-size:.65em;line-height:1;white-space:nowrap;
 border:1px dashed var(--soft);color:var(--soft);border-radius:3px;padding:.1em .3em;margin:0 .1em}
.sec{border:0;border-left:3px solid var(--soft);border-radius:0;font-weight:600;
 text-transform:uppercase;letter-spacing:.04em;margin-right:.7em}
.none{color:var(--soft);font-style:italic}
.scroll{overflow-x:auto}
table{width:100%;border-collapse:collapse;font-size:.87rem}
th,td{text-align:left;vertical-align:top;padding:.45rem .8rem;border-top:1px solid var(--line)}
thead th{border-top:0;color:var(--soft);font-weight:600;font-size:.78rem;white-space:nowrap}
tbody tr:nth-child(even){background:var(--zebra)}
tbody tr{scroll-margin:5rem}
tbody tr:target{background:var(--hit)}
td.n,th.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
td.id{color:var(--soft);white-space:nowrap}
td.w{overflow-wrap:anywhere;min-width:9rem}
td.t{overflow-wrap:anywhere;min-width:11rem;width:30%}
.chip{display:inline-block;border-radius:5px;padding:.02rem .45rem;background:var(--b);
 color:var(--c);font-weight:600}
.chip small{font-weight:400;opacity:.85}
a.chip:hover{text-decoration:none;box-shadow:0 0 0 1.5px var(--c)}
.plain{--b:var(--zebra);--c:var(--soft)}
.prop{display:inline-block;border:1px solid var(--line);border-radius:4px;padding:0 .4rem;
 margin:0 .25rem .15rem 0}
.bar{display:inline-block;vertical-align:middle;width:3.4rem;height:.42rem;border-radius:9px;
 background:var(--line);overflow:hidden;margin-right:.5rem}
.bar i{display:block;height:100%;background:var(--link)}
.links{list-style:none;margin:0;padding:.2rem 0}
.links li{display:flex;flex-wrap:wrap;align-items:center;gap:.35rem .6rem;padding:.5rem .9rem;
 border-top:1px solid var(--line);font-size:.9rem}
.links li:first-child{border-top:0}
.links .id{color:var(--soft);font-size:.8rem;min-width:2.4rem}
.arrow{display:inline-flex;align-items:center;color:var(--soft);font-size:.8rem;font-weight:600}
.arrow::before{content:"";width:1.4rem;border-top:2px solid var(--soft);margin-right:.45rem}
.arrow::after{content:"";width:1.4rem;height:0;border-top:2px solid var(--soft);margin-left:.45rem}
.arrow.short::after{content:none}
.arrow.short::before{margin-right:.1rem}
.arrow i{font-style:normal;color:var(--ink)}
.head{width:0;height:0;border:5px solid transparent;border-left-color:var(--soft);
 margin:0 -.2rem 0 -.65rem}
.role{color:var(--soft);font-size:.8rem;margin-right:.3rem}
.mix{display:flex;width:9rem;height:.6rem;border-radius:9px;overflow:hidden;background:var(--line);
 margin-top:.4rem}
.mix i{display:block;background:var(--c)}
footer{max-width:74rem;margin:2.5rem auto 2rem;padding:0 1.5rem;color:var(--soft);font-size:.8rem}
@media(max-width:40rem){main,header.top,footer{padding-left:.8rem;padding-right:.8rem}
 .note{padding:1rem}}
@media print{
 *{-webkit-print-color-adjust:exact;print-color-adjust:exact}
 body{background:#fff;font-size:10pt}
 nav,footer{display:none}
 main,header.top{max-width:none;padding:0}
 .card{border-radius:0}
 .scroll{overflow:visible}
 table{font-size:8pt}
 th,td{padding:.25rem .4rem}
 td.t,td.w{min-width:0}
 tr,.links li{break-inside:avoid}
 h2{break-after:avoid}
 thead{display:table-header-group}
}
"""


def style(palette: Palette) -> str:
    """The rules, with the colours of all labels in light and dark; print is light."""
    light, dark = _LIGHT + palette.css(dark=False), _DARK + palette.css(dark=True)
    classes = "".join(f".l{n}{{--b:var(--b{n});--c:var(--c{n})}}" for n in palette.numbers.values())
    return (
        f":root{{color-scheme:light dark;{light}}}"
        f"@media screen and (prefers-color-scheme:dark){{:root{{{dark}}}}}{classes}{_RULES}"
    )
