// SPDX-License-Identifier: Apache-2.0
// The live page.  All text reaches the document as text nodes, never as markup.
'use strict';

const api = '/api/v1';
const byId = (id) => document.getElementById(id);
let token = '';
let chosen = null;	// id of the order shown in detail
let lastDetail = '';	// what its detail was drawn from
let stream = null;	// AbortController of the live stream
const silenceMs = 8000;	// an event comes twice a second

// el('p', 'class', 'text' or node, ...)
function el(tag, cls, ...parts) {
	const e = document.createElement(tag);
	if (cls)
		e.className = cls;
	for (const part of parts)
		e.append(part instanceof Node ? part : String(part));
	return e;
}

function duration(s) {
	s = Math.round(s);
	if (s >= 3600)
		return `${Math.floor(s / 3600)} h ${String(Math.floor(s / 60) % 60).padStart(2, '0')} min`;
	if (s >= 60)
		return `${Math.floor(s / 60)} min ${String(s % 60).padStart(2, '0')} s`;
	return `${s} s`;
}

async function call(method, path) {
	const res = await fetch(api + path, {
		method,
		headers: { Authorization: `Bearer ${token}` },
		cache: 'no-store',
	}).catch(() => {
		throw new Error('The platform does not answer. Is cardwright-platform running?');
	});
	const doc = await res.json().catch(() => ({}));
	if (!res.ok)
		throw Object.assign(new Error(doc.detail || doc.title || `HTTP ${res.status}`), { status: res.status });
	return doc;
}

// What every reader of the page must see; '' when all is well again.
function alarm(text) {
	const box = byId('alarm');
	byId('main').classList.toggle('stale', text !== '');
	box.hidden = text === '';
	if (box.textContent !== text)
		box.textContent = text;
}

// Said to screen readers, hence only when it changes.
function sayLink(text) {
	if (byId('link').textContent !== text)
		byId('link').textContent = text;
}

function askToken(why) {
	if (stream)
		stream.abort();
	sessionStorage.removeItem('token');
	token = '';
	byId('main').hidden = true;
	byId('forget').hidden = true;
	byId('login').hidden = false;
	byId('login-why').textContent = why || '';
	byId('time').textContent = '';
	alarm('');
	sayLink('no token');
	byId('token').focus();
}

function ended(o) {
	const r = o.records;
	return r.issued + r.failed + r['in-doubt'] + r.cancelled;
}

const stateClass = { running: 'good', blocked: 'bad', paused: 'warn', cancelling: 'warn', done: 'good' };

function drawOrder(o) {
	const box = el('article', o.id === chosen ? 'order chosen' : 'order');
	const head = el('div', 'row');
	const pick = el('button', '', `Order ${o.id}`);
	pick.type = 'button';
	pick.setAttribute('aria-pressed', String(o.id === chosen));
	pick.addEventListener('click', () => choose(o.id));
	head.append(pick, el('span', 'name', o.name || ''),
	    el('span', stateClass[o.state] || 'dim', o.state),
	    el('span', 'dim', `profile ${o.profile}${o.production ? ', production' : ', test'}`));
	box.append(head);
	if (o.reason)
		box.append(el('p', 'warn', o.reason));
	if (o.waits)
		box.append(el('p', 'warn', o.waits));

	const bar = el('progress', '');
	bar.max = Math.max(o.total, 1);
	bar.value = ended(o);
	bar.setAttribute('aria-label', `order ${o.id}: ${ended(o)} of ${o.total} records ended`);
	box.append(bar);

	const foot = el('div', 'row');
	foot.append(el('span', '', `${ended(o)} of ${o.total} records`),
	    el('span', 'good', `✓ issued ${o.records.issued}`));
	if (o.records.failed)
		foot.append(el('span', 'bad', `✗ failed ${o.records.failed}`));
	if (o.records['in-doubt'])
		foot.append(el('span', 'warn', `? in doubt ${o.records['in-doubt']}`));
	foot.append(el('span', 'dim', `cards: ${o.cards.good} good, ${o.cards.reject} reject, ${o.cards['in-doubt']} in doubt`));
	if (o.cards_per_min !== null)
		foot.append(el('span', '', `${Math.round(o.cards_per_min)} cards/min`));
	if (o.seconds_left !== null && ended(o) < o.total)
		foot.append(el('span', '', `${duration(o.seconds_left)} left`));
	box.append(foot);
	return box;
}

const stationText = {
	off: '○ off', idle: '· ready', feed: '↓ waits for a card', burn: '▶ burns the COS',
	personal: '▶ writes the record', bin: '↘ to the bin', stuck: '! needs a person',
	image: '⇣ takes the COS',
};

function drawStation(s) {
	const work = ['feed', 'burn', 'personal', 'bin', 'image'].includes(s.state) ? ' work' : '';
	const box = el('div', `station ${s.state}${work}`,
	    el('p', 'name', `${s.station} · ${s.reader || 'no reader'}`),
	    el('p', s.state === 'stuck' ? 'bad' : '', stationText[s.state] || s.state),
	    el('p', 'dim', `${s.good} good, ${s.reject} reject, ${s['in-doubt']} doubt`));
	if (s.order)
		box.append(el('p', 'dim', `order ${s.order}, record ${s.record}`));
	if (s.why)
		box.append(el('p', 'bad', s.why));
	if (s.last && s.last !== 'good')
		box.append(el('p', 'warn', `last: ${s.last_text}`));
	return box;
}

const lineText = {
	idle: '· idle', execute: '▶ at work', held: '! held', suspended: '… waits for cards or records',
	aborted: '✗ aborted', away: '○ not connected', unknown: '? no status yet',
};

function drawLine(l) {
	const bad = ['held', 'aborted', 'away'].includes(l.state);
	const box = el('article', 'line');
	const head = el('div', 'row', el('span', 'name', l.name),
	    el('span', bad ? 'bad' : l.state === 'execute' ? 'good' : 'dim', lineText[l.state] || l.state));
	if (l.address)
		head.append(el('span', 'dim', `from ${l.address}`));
	if (l.device)
		head.append(el('span', 'dim', `machine: ${l.device.fed} fed, ${l.device.good} good, ${l.device.reject} reject`));
	if (l.cos_sent)
		head.append(el('span', 'dim', `COS sent ${l.cos_sent}×`));
	box.append(head);
	if (l.why)
		box.append(el('p', bad ? 'bad' : 'warn', l.why));
	if (l.stations.length) {
		const grid = el('div', 'grid');
		for (const s of l.stations)
			grid.append(drawStation(s));
		box.append(grid);
		if (l.station_cnt > l.stations.length)
			box.append(el('p', 'dim', `The first ${l.stations.length} of ${l.station_cnt} stations.`));
	}
	return box;
}

function tableOf(head, rows) {
	const thead = el('thead', '', el('tr', '', ...head.map((h) => el('th', '', h))));
	const tbody = el('tbody', '', ...rows.map((r) => el('tr', '', ...r.map((c) => el('td', '', c === null ? '–' : c)))));
	return el('table', '', thead, tbody);
}

const countersText = {
	equal: 'the machine counted the same', differs: 'the machine counted otherwise',
	unknown: 'not yet held against the machine’s counters',
};

function drawReport(rep) {
	const list = el('dl', '');
	const line = (k, v, cls) => list.append(el('dt', 'dim', k), el('dd', cls || '', v));
	const c = rep.cards;
	const r = rep.records;
	line('Cards drawn', `${c.drawn} = ${c.good} good + ${c.reject} reject + ${c['in-doubt']} in doubt`);
	line('Records', `${r.total} = ${r.issued} issued + ${r.failed} failed + ${r['in-doubt']} in doubt + ${r.cancelled} cancelled + ${r.open} open`);
	if (rep.cos.sent)
		line('COS over the wire', `${rep.cos.sent} times to ${rep.cos.readers} readers`);
	for (const cause of rep.causes)
		line(`${cause.count} × ${cause.verdict}`, `${cause.cause_text}${cause.sw && cause.sw !== '9000' ? ` (SW ${cause.sw}: ${cause.sw_text})` : ''}`);
	for (const t of rep.terminals)
		line(t.name, `${t.cards} cards in all orders; ${countersText[t.device.agrees] || t.device.agrees}`, t.device.agrees === 'differs' ? 'bad' : '');
	if (!rep.adds_up)
		line('Does not add up', rep.why || '', 'bad');
	else
		line('Adds up', rep.settled ? 'yes, ✓ settled' : `so far${rep.why ? `: ${rep.why}` : ''}`, rep.settled ? 'good' : 'dim');
	byId('report').replaceChildren(list);
}

function actionButton(label, action, confirmText) {
	const b = el('button', '', label);
	b.type = 'button';
	b.addEventListener('click', async () => {
		if (confirmText && !window.confirm(confirmText))
			return;
		byId('detail-why').textContent = '';
		try {
			await call('POST', `/orders/${chosen}/${action}`);
			lastDetail = '';
		} catch (e) {
			if (e.status === 401)
				askToken(e.message);
			else
				byId('detail-why').textContent = e.message;
		}
	});
	return b;
}

async function drawDetail(o) {
	byId('h-detail').textContent = `Order ${o.id}${o.name ? `: ${o.name}` : ''}`;
	const buttons = [];
	if (['ready', 'running'].includes(o.state))
		buttons.push(actionButton('Pause', 'pause'));
	if (['paused', 'blocked'].includes(o.state))
		buttons.push(actionButton('Resume', 'resume'));
	if (['ready', 'running', 'paused', 'blocked'].includes(o.state))
		buttons.push(actionButton('Cancel', 'cancel', `Cancel order ${o.id}? Records not begun will not be made.`));
	if (!['cancelling', 'cancelled', 'closed'].includes(o.state) && o.records.failed + o.records['in-doubt'] > 0)
		buttons.push(actionButton('Remake failed', 'remake', `Make ${o.records.failed + o.records['in-doubt']} records of order ${o.id} again?`));
	if (['done', 'cancelled'].includes(o.state))
		buttons.push(actionButton('Close', 'close', `Close order ${o.id}? What is still held of its personal data is destroyed; nothing of it can be made again.`));
	replaceKeepingFocus(byId('detail-actions'), buttons);
	const [rep, faults] = await Promise.all([
		call('GET', `/orders/${o.id}/report`),
		call('GET', `/orders/${o.id}/faults?limit=200`),
	]);
	drawReport(rep);
	const table = tableOf(['Record', 'Attempt', 'Verdict', 'Cause', 'SW', 'Station', 'Reader', 'Chip serial'],
	    faults.results.map((f) => [f.record, f.attempt, f.verdict, f.cause_text,
		f.sw && f.sw !== '9000' ? `${f.sw} ${f.sw_text}` : null, f.station, f.reader, f.serial]));
	const box = byId('rejects');
	box.replaceChildren(faults.results.length ? table : el('p', 'dim', 'None.'));
	if (faults.next)
		box.append(el('p', 'dim', `The first ${faults.results.length}. All of them: cardwright order report ${o.id} --json`));
	byId('detail').hidden = false;
}

function choose(id) {
	chosen = id;
	lastDetail = '';
	byId('detail-why').textContent = '';
	byId('detail').scrollIntoView({ block: 'start' });
}

// Redraws a list but keeps the keyboard's place in it.
function replaceKeepingFocus(box, nodes) {
	const buttons = [...box.querySelectorAll('button')];
	const at = buttons.indexOf(document.activeElement);
	const label = at >= 0 ? document.activeElement.textContent : '';
	box.replaceChildren(...nodes);
	if (at >= 0) {
		const again = [...box.querySelectorAll('button')].find((b) => b.textContent === label);
		if (again)
			again.focus();
	}
}

async function draw(doc) {
	if (chosen === null && doc.orders.length)
		chosen = doc.orders[0].id;
	alarm('');
	sayLink('live');
	byId('time').textContent = doc.time ? `${doc.time.slice(11, 19)} UTC` : '';
	doc.lines.sort((a, b) => a.name.localeCompare(b.name, 'en', { numeric: true }));
	replaceKeepingFocus(byId('orders'), doc.orders.length ? doc.orders.map(drawOrder) :
	    [el('p', 'dim', 'No orders yet. Submit one: cardwright order submit --profile NAME --cos FILE --data FILE')]);
	replaceKeepingFocus(byId('lines'), doc.lines.length ? doc.lines.map(drawLine) :
	    [el('p', 'dim', 'No line has ever connected. Start one: cardwright-terminal -c FILE')]);
	let o = doc.orders.find((x) => x.id === chosen);
	try {
		if (chosen !== null && !o)
			o = await call('GET', `/orders/${chosen}`);
		if (!o)
			return;
		// The report also tells what the machines have counted.
		const now = JSON.stringify([o.id, o.state, o.records, o.cards, doc.lines.map((l) => l.device)]);
		if (now === lastDetail)
			return;
		lastDetail = now;
		await drawDetail(o);
	} catch (e) {
		lastDetail = '';
		if (e.status === 401)
			throw e;
		byId('detail-why').textContent = e.message;
	}
}

async function listen() {
	const own = new AbortController();
	// A machine that was switched off sends no end of the stream.
	let silence = 0;
	const heard = () => {
		clearTimeout(silence);
		silence = setTimeout(() => own.abort(new Error('it is silent')), silenceMs);
	};
	stream = own;
	heard();
	try {
		await follow(own.signal, heard);
	} finally {
		clearTimeout(silence);
	}
}

async function follow(signal, heard) {
	const res = await fetch(`${api}/events`, {
		headers: { Authorization: `Bearer ${token}` },
		signal,
		cache: 'no-store',
	});
	if (res.status === 401)
		throw Object.assign(new Error('The token is not this platform’s.'), { status: 401 });
	if (!res.ok)
		throw new Error(`HTTP ${res.status}`);
	byId('login').hidden = true;
	byId('main').hidden = false;
	byId('forget').hidden = false;
	sessionStorage.setItem('token', token);
	const reader = res.body.pipeThrough(new TextDecoderStream()).getReader();
	let text = '';
	for (;;) {
		const { value, done } = await reader.read();
		if (done)
			throw new Error('it ended the stream');
		heard();
		text += value;
		// Of several events that have come, the last one says it all.
		const parts = text.split('\n\n');
		text = parts.pop();
		const event = parts.filter((p) => p.startsWith('event: live\ndata: ')).pop();
		if (event)
			await draw(JSON.parse(event.slice('event: live\ndata: '.length)));
	}
}

function lastTime() {
	const time = byId('time').textContent;
	return time ? `, of ${time}` : '';
}

async function run() {
	for (;;) {
		try {
			await listen();
		} catch (e) {
			if (e.status === 401) {
				askToken(e.message);
				return;
			}
			if (e.name === 'AbortError')
				return;
			// Browsers word a refused connection each in their own way.
			const why = e instanceof TypeError ? 'it does not answer' : e.message;
			sayLink('not connected');
			alarm(`No connection to the platform (${why}). What is shown is old${lastTime()}. Trying again every 2 s; is cardwright-platform running?`);
			await new Promise((ok) => setTimeout(ok, 2000));
		}
	}
}

function start() {
	const hash = new URLSearchParams(location.hash.slice(1));
	token = hash.get('token') || sessionStorage.getItem('token') || '';
	if (hash.has('token'))
		history.replaceState(null, '', location.pathname);
	byId('login').addEventListener('submit', (e) => {
		e.preventDefault();
		token = byId('token').value.trim();
		byId('token').value = '';
		run();
	});
	byId('forget').addEventListener('click', () => askToken(''));
	if (token)
		run();
	else
		askToken('');
}

start();
