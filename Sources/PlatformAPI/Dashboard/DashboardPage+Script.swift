extension DashboardPage {
    /// Everything that comes from the host is put on the page as text (`textContent`), never as markup.
    static let script = #"""
        const $ = id => document.getElementById(id);
        const key = 'slipway-token';
        let token = sessionStorage.getItem(key), shown = null, visit = null, timer = 0;
        const trends = new Map();  // requests/s of each application, the last 60 looks

        function el(tag, text, style) {
          const node = document.createElement(tag);
          if (text !== undefined && text !== null) node.textContent = text;
          if (style) node.className = style;
          return node;
        }
        function row(...cells) {
          const line = el('tr');
          for (const cell of cells) {
            const box = cell instanceof Node && cell.tagName === 'TD' ? cell : el('td');
            if (box !== cell) cell instanceof Node ? box.append(cell) : box.textContent = cell;
            line.append(box);
          }
          return line;
        }
        function button(text, action, style) {
          const node = el('button', text, style);
          node.type = 'button';
          node.onclick = action;
          return node;
        }
        const number = value => value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2);
        const time = ms => ms === undefined || ms === null ? '–' : ms >= 1000 ? number(ms / 1000) + ' s' : number(ms) + ' ms';
        const percent = share => share === 0 ? '0 %' : (share * 100).toFixed(share < 0.01 ? 2 : 1) + ' %';
        const size = bytes => bytes >= 2 ** 30 ? number(bytes / 2 ** 30) + ' GiB' : (bytes / 2 ** 20).toFixed(0) + ' MiB';
        function age(date) {
          const s = Math.max(0, (Date.now() - new Date(date)) / 1000);
          return s < 60 ? Math.floor(s) + ' s' : s < 3600 ? Math.floor(s / 60) + ' min'
            : s < 86400 ? Math.floor(s / 3600) + ' h' : Math.floor(s / 86400) + ' d';
        }
        const path = (...parts) => '/api/v1/' + parts.map(encodeURIComponent).join('/');

        async function call(url, options = {}) {
          const headers = { Authorization: 'Bearer ' + token };
          if (options.json !== undefined) {
            headers['Content-Type'] = 'application/json';
            options.body = JSON.stringify(options.json);
          }
          const response = await fetch(url, { ...options, headers, cache: 'no-store' });
          if (response.ok) return response;
          const problem = await response.json().catch(() => ({}));
          throw Object.assign(new Error(problem.detail || 'status ' + response.status), { status: response.status });
        }
        const get = (...parts) => call(path(...parts), { signal: visit?.signal }).then(r => r.json());

        async function* lines(response) {
          const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
          for (let rest = '';;) {
            const { done, value } = await reader.read();
            const parts = (rest + (value || '')).split('\n');
            rest = parts.pop();
            for (const part of parts) if (part) yield JSON.parse(part);
            if (done) return;
          }
        }

        // An operation that answers with a stream of events.
        async function operate(title, url, options) {
          const out = $('progress');
          out.hidden = false;
          out.textContent = title + '\n';
          const say = text => { out.append(text + '\n'); out.scrollTop = out.scrollHeight; };
          document.querySelectorAll('#detail button').forEach(b => b.disabled = true);
          try {
            for await (const event of lines(await call(url, options))) {
              if (event.line) say(event.line);
              if (event.problem) throw new Error(event.problem.detail);
            }
            say('Done.');
          } catch (error) {
            say('Failed: ' + error.message);
          }
          document.querySelectorAll('#detail button').forEach(b => b.disabled = false);
          if (shown) fillDetail(shown, true).catch(fail);
        }

        function fail(error) {
          if (error.name === 'AbortError') return;
          if (error.status === 401) return leave('The host does not know this token.');
          $('state').textContent = error instanceof TypeError ? 'The host does not answer' : error.message;
          $('state').className = 'bad';
        }
        function fresh() {
          $('state').textContent = 'Updated ' + new Date().toLocaleTimeString();
          $('state').className = '';
        }

        function condition(app, metrics) {
          if (app.maintenance) return ['maintenance', 'warn'];
          if (!app.release) return ['not deployed', 'soft'];
          if (!metrics) return ['live', ''];
          if (metrics.instancesReady < metrics.instancesWanted) return [metrics.instancesReady ? 'degraded' : 'down', 'bad'];
          return metrics.errorRate >= 0.05 ? ['failing', 'bad'] : ['healthy', 'good'];
        }

        async function fillList() {
          const apps = await get('apps');
          apps.sort((a, b) => a.name.localeCompare(b.name));
          const rows = [];
          const metrics = await Promise.all(apps.slice(0, 100).map(app =>
            call(path('apps', app.name, 'metrics') + '?since=300', { signal: visit.signal }).then(r => r.json()).catch(() => null)));
          apps.forEach((app, i) => {
            const m = metrics[i], [word, style] = condition(app, m);
            const name = el('a', app.name);
            name.href = '#/' + encodeURIComponent(app.name);
            const cell = (text, style) => el('td', text, 'n ' + (style || ''));
            const line = row(name, el('td', word, style), app.release ? 'v' + app.release : '–',
              cell(m ? m.instancesReady + '/' + m.instancesWanted : '–'), cell(m ? number(m.throughput) : '–'),
              cell(m ? time(m.p95Milliseconds) : '–'), cell(m ? percent(m.errorRate) : '–', m && m.errorRate > 0 ? 'bad' : ''));
            line.className = 'link';
            line.onclick = () => { location.hash = name.hash; };
            rows.push(line);
          });
          $('applications').replaceChildren(...rows);
          $('none').hidden = apps.length > 0;
          fresh();
        }

        function tile(label, value, style, samples) {
          const node = el('div', label, 'card soft');
          node.append(el('b', value, style || ''));
          node.lastChild.style.color = style ? '' : 'var(--text)';
          if (samples && samples.length > 1) {
            const ns = 'http://www.w3.org/2000/svg', svg = document.createElementNS(ns, 'svg');
            const top = Math.max(...samples, 0.001), line = document.createElementNS(ns, 'polyline');
            svg.setAttribute('viewBox', '0 0 60 24');
            svg.setAttribute('preserveAspectRatio', 'none');
            line.setAttribute('points', samples.map((v, i) => `${60 - samples.length + i + 1},${23 - 22 * v / top}`).join(' '));
            svg.append(line);
            node.append(svg);
          }
          return node;
        }

        async function fillDetail(name, everything) {
          const [app, m, instances, releases] = await Promise.all([
            get('apps', name), call(path('apps', name, 'metrics') + '?since=60', { signal: visit.signal }).then(r => r.json()),
            get('apps', name, 'ps'), get('apps', name, 'releases')]);
          if (shown !== name) return;
          $('name').textContent = app.name;
          $('url').textContent = app.url;
          if (/^https?:\/\//.test(app.url)) $('url').href = app.url;
          const samples = trends.get(name) || [];
          samples.push(m.throughput);
          trends.set(name, samples.slice(-60));
          const [word, style] = condition(app, m);
          $('tiles').replaceChildren(
            tile('State', word, style), tile('Instances', m.instancesReady + ' of ' + m.instancesWanted),
            tile('Requests/s', number(m.throughput), '', samples.slice(-60)), tile('p95', time(m.p95Milliseconds)),
            tile('Errors', percent(m.errorRate), m.errorRate > 0 ? 'bad' : ''),
            tile('Use', number(m.cpuCores) + ' cores, ' + size(m.memoryBytes)));
          $('instances').replaceChildren(...instances.map(i => {
            const note = [i.state === 'ready' ? null : ['starting', 'unready'].includes(i.state) ? i.lastProbe || i.lastExit : i.lastExit || i.lastProbe, i.restarts ? i.restarts + ' restarts' : null,
              i.memoryBytes ? size(i.memoryBytes) : null, i.startedAt ? 'up ' + age(i.startedAt) : null].filter(Boolean).join(', ');
            return row(el('td', i.name, 'mono'), el('td', i.state, i.state === 'ready' ? 'good' : 'warn'), 'v' + i.release,
              el('td', note, 'wide soft'));
          }));
          if (!instances.length) $('instances').replaceChildren(row(el('td', 'None run.', 'soft')));
          $('releases').replaceChildren(...releases.slice(0, 20).map(r => {
            const back = r.isLive ? el('span', 'live', 'good') : button('Roll back', () => {
              if (confirm('Roll ' + name + ' back to v' + r.version + '?'))
                operate('Rolling back to v' + r.version, path('apps', name, 'rollback'), { method: 'POST', json: { version: r.version } });
            });
            return row('v' + r.version, el('td', r.description, 'wide'), r.author, el('td', age(r.createdAt) + ' ago', 'soft n'), back);
          }));
          if (!releases.length) $('releases').replaceChildren(row(el('td', 'Nothing is deployed yet.', 'soft')));
          if (everything) {
            fillScale(name, app, releases.find(r => r.isLive));
            await fillConfig(name);
          }
          fresh();
        }

        function fillScale(name, app, live) {
          const types = [...new Set([...Object.keys(app.formation), ...Object.keys(live ? live.processTypes : {})])]
            .filter(type => type !== 'release').sort();
          const inputs = types.map(type => {
            const input = el('input');
            Object.assign(input, { type: 'number', min: 0, max: 1000, value: app.formation[type] || 0, name: type });
            const label = el('label', type + ' ');
            label.append(input);
            return label;
          });
          const apply = el('button', 'Scale');
          $('scale').replaceChildren(...inputs, ...(types.length ? [apply] : []));
          $('scale').onsubmit = event => {
            event.preventDefault();
            const quantities = {};
            for (const type of types) quantities[type] = Number($('scale').elements[type].value);
            operate('Scaling', path('apps', name, 'ps', 'scale'), { method: 'POST', json: { quantities } });
          };
        }

        async function fillConfig(name) {
          let config;
          try {
            config = await get('apps', name, 'config');
          } catch (error) {
            if (error.status !== 403) throw error;
            return $('config').replaceChildren(row(el('td', error.message, 'soft')));
          }
          const names = Object.keys(config).sort();
          $('config').replaceChildren(...names.map(key => {
            const value = el('td', '••••••••', 'wide mono soft');
            const reveal = button('Reveal', () => {
              const hidden = reveal.textContent === 'Reveal';
              value.textContent = hidden ? config[key] : '••••••••';
              reveal.textContent = hidden ? 'Hide' : 'Reveal';
            }, 'quiet');
            return row(el('td', key, 'mono'), value, reveal);
          }));
          if (!names.length) $('config').replaceChildren(row(el('td', 'No variable is set.', 'soft')));
        }

        async function followLog(name, signal) {
          const log = $('log');
          let last = 0;
          while (!signal.aborted) {
            try {
              const url = path('apps', name, 'logs') + '?tail=1&n=' + (last ? 1000 : 200);
              for await (const line of lines(await call(url, { signal }))) {
                if (line.sequence <= last) continue;  // said before the connection broke
                last = line.sequence;
                const atEnd = log.scrollTop + log.clientHeight >= log.scrollHeight - 40;
                const node = el('div');
                const clock = new Date(line.timestamp).toLocaleTimeString();
                node.append(el('span', `${clock} ${line.source}${line.process ? '[' + line.process + ']' : ''} `, 'soft'),
                  line.text.replace(/\u001b\[[0-9;:]*m/g, ''));
                log.append(node);
                while (log.childNodes.length > 2000) log.firstChild.remove();
                if (atEnd) log.scrollTop = log.scrollHeight;
              }
            } catch (error) {
              if (signal.aborted) return;
              fail(error);
              if (error.status) return;
            }
            await new Promise(resume => setTimeout(resume, 2000));
          }
        }

        function leave(why) {
          token = null;
          sessionStorage.removeItem(key);
          show();
          $('refusal').textContent = why || '';
        }

        // What the address says is what is shown.
        function show() {
          clearTimeout(timer);
          visit?.abort();
          visit = new AbortController();
          const { signal } = visit;
          try { shown = token ? decodeURIComponent(location.hash.replace(/^#\/?/, '')) || null : null; } catch { shown = null; }
          $('login').hidden = Boolean(token);
          $('leave').hidden = !token;
          $('list').hidden = !token || Boolean(shown);
          $('detail').hidden = !shown;
          $('state').textContent = '';
          document.title = shown ? shown + ' – Slipway' : 'Slipway';
          if (!token) return $('token').focus();
          if (shown) {
            for (const id of ['log', 'progress', 'tiles', 'instances', 'releases', 'config', 'scale', 'name', 'url']) $(id).replaceChildren();
            $('progress').hidden = true;
            followLog(shown, signal);
          }
          let first = true;
          const look = async () => {
            try {
              if (!document.hidden || first) await (shown ? fillDetail(shown, first) : fillList());
            } catch (error) {
              fail(error);
            }
            first = false;
            if (!signal.aborted) timer = setTimeout(look, 3000);
          };
          look();
        }

        $('login').onsubmit = event => {
          event.preventDefault();
          token = $('token').value.trim();
          $('token').value = '';
          $('refusal').textContent = '';
          sessionStorage.setItem(key, token);
          show();
        };
        $('leave').onclick = () => leave();
        window.onhashchange = show;
        show();
        """#
}
