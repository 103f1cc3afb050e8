extension DashboardPage {
    static let style = #"""
        :root {
          color-scheme: light dark;
          --back: light-dark(#f6f7f6, #121514); --card: light-dark(#fff, #1a1f1d); --line: light-dark(#dfe3e1, #2e3532);
          --text: light-dark(#1b211f, #e4e9e7); --soft: light-dark(#5d6864, #97a39e);
          --accent: light-dark(#0f766e, #4fd1c2); --good: light-dark(#18794e, #5bd69a);
          --warn: light-dark(#95600a, #e8b25c); --bad: light-dark(#b42318, #ff8f80);
        }
        * { box-sizing: border-box; }
        [hidden] { display: none !important; }
        body { margin: 0; background: var(--back); color: var(--text); font: 15px/1.5 system-ui, sans-serif; }
        header { display: flex; align-items: center; gap: 1rem; padding: .7rem 1.25rem; background: var(--card);
          border-bottom: 1px solid var(--line); }
        #state { margin-left: auto; color: var(--soft); font-size: .85rem; }
        #state.bad { color: var(--bad); }
        .brand { display: flex; align-items: center; gap: .5rem; font-weight: 650; color: inherit; text-decoration: none; }
        .brand path { fill: var(--accent); }
        main { max-width: 72rem; margin: 0 auto; padding: 1.25rem; }
        h1 { font-size: 1.35rem; margin: .4rem 0 1rem; }
        h1 a { font-size: .9rem; font-weight: 400; }
        h2 { font-size: .95rem; margin: 0 0 .6rem; }
        a { color: var(--accent); }
        code, pre, .mono { font: .85em/1.55 ui-monospace, SFMono-Regular, Menlo, monospace; }
        .card { background: var(--card); border: 1px solid var(--line); border-radius: 8px; padding: 1rem; margin: 0 0 1rem; }
        .scroll { overflow-x: auto; }
        .row { display: flex; flex-wrap: wrap; gap: .5rem; align-items: center; }
        .columns { display: grid; grid-template-columns: repeat(auto-fit, minmax(20rem, 1fr)); gap: 0 1rem; align-items: start; }
        .hint, .soft { color: var(--soft); }
        #login { max-width: 30rem; margin: 12vh auto 0; }
        #token { flex: 1; }
        table { width: 100%; border-collapse: collapse; font-variant-numeric: tabular-nums; }
        th, td { text-align: left; padding: .4rem .6rem .4rem 0; border-bottom: 1px solid var(--line); white-space: nowrap; }
        tbody tr:last-child td { border-bottom: 0; }
        th { font-weight: 500; color: var(--soft); font-size: .85rem; }
        .n { text-align: right; }
        td.wide { width: 100%; white-space: normal; overflow-wrap: anywhere; }
        td button { padding: .1rem .6rem; white-space: nowrap; font-size: .9rem; }
        tr.link { cursor: pointer; }
        tr.link:hover td { background: color-mix(in srgb, var(--accent) 7%, transparent); }
        button, input { font: inherit; color: inherit; border: 1px solid var(--line); border-radius: 6px;
          background: var(--back); padding: .3rem .7rem; }
        input[type=number] { width: 4.5rem; }
        button { cursor: pointer; }
        button:hover { border-color: var(--accent); }
        button:disabled { opacity: .5; cursor: default; }
        button.quiet { border-color: transparent; background: none; color: var(--soft); }
        :focus-visible { outline: 2px solid var(--accent); outline-offset: 1px; }
        .good { color: var(--good); } .warn { color: var(--warn); } .bad { color: var(--bad); }
        #tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(9rem, 1fr)); gap: 1rem; margin-bottom: 1rem; }
        #tiles .card { margin: 0; padding: .75rem 1rem; }
        #tiles b { display: block; font-size: 1.35rem; font-weight: 600; font-variant-numeric: tabular-nums; }
        #tiles svg { display: block; width: 100%; height: 24px; margin-top: .3rem; }
        polyline { fill: none; stroke: var(--accent); stroke-width: 1.5; vector-effect: non-scaling-stroke; }
        .log { margin: 0; max-height: 26rem; overflow: auto; white-space: pre-wrap; overflow-wrap: anywhere; }
        #progress { background: var(--card); border: 1px solid var(--line); border-radius: 8px; padding: 1rem; margin-bottom: 1rem;
          max-height: 14rem; }
        .log .soft { user-select: none; }
        """#
}
