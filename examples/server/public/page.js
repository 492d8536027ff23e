/** Sends spikes to the server as simulated time passes, and shows them with the currents that come back. */
import { Client } from './client.js';
import { History, roundUp } from './history.js';
import { format, Pictures, readTheme } from './pictures.js';

const CHANNELS = 48;
/** Of a message of one source. */
const HEADER_BYTES = 16;
const COLUMN_SECONDS = 0.005;
/** Columns that are kept, which is more than a screen is wide. */
const HISTORY = 4096;
/** The most simulated seconds of one message. */
const MESSAGE_SECONDS = 0.25;
/** What the simulation may be behind; beyond, time is skipped, and that is shown. */
const MOST_BEHIND = 10;
/** Messages on their way; more are not sent, so that a slow line does not fill up. */
const MOST_PENDING = 8;
const LEAST_SCALE = 0.1;

const element = (id) => document.getElementById(id);

/** A slider of 0 to 1 as a value between least and most, in equal factors or in squares. */
function slider(id, least, most, unit, isLogarithmic = true) {
  const input = element(id);
  const value = () =>
    isLogarithmic
      ? least * (most / least) ** Number(input.value)
      : least + (most - least) * Number(input.value) ** 2;
  const show = () => {
    const [short, spoken] = unit(value());
    element(`${id}-value`).textContent = short;
    input.setAttribute('aria-valuetext', spoken);
  };
  input.addEventListener('input', show);
  show();
  return { input, value };
}

const milliseconds = (seconds) => {
  const number = Number((seconds * 1000).toPrecision(3));
  return [`${number} ms`, `${number} milliseconds`];
};
const same = (digits) => (value) => [value.toFixed(digits), value.toFixed(digits)];
const controls = {
  tau: slider('tau', 0.001, 1, milliseconds),
  dt: slider('dt', 0.0002, 0.005, milliseconds),
  noise: slider('noise', 0, 20, same(2), false),
  rate: slider('rate', 0.5, 200, same(1)),
};

const history = new History(CHANNELS, HISTORY, COLUMN_SECONDS);
const pictures = new Pictures(element('raster'), element('currents'), element('trace'));
let theme = readTheme();
let isDrawn = false;
let isPaused = false;

/** Messages without an answer, by their number. */
const pending = new Map();
let sequence = 0;
let maxFrameBytes = 0;
/** The parameters that the server has been told, and the step that it has answered to. */
let dt = controls.dt.value();
let step = 0;
/** Seconds that are to be simulated, and until when they are counted. */
let owed = 0;
let countedUntil;
let skipped = 0;
const answered = { count: 0, latency: 0, since: performance.now() };

const isWanted = () => !isPaused && !document.hidden;
const client = new Client({
  channels: CHANNELS,
  isWanted,
  onState(state, text, action) {
    element('status').dataset.state = state;
    element('status').textContent = text;
    element('retry').hidden = action !== 'retry';
    element('restart').hidden = action !== 'restart';
    const form = element('token-form');
    const isAsking = state === 'stopped' && action === undefined;
    if (isAsking && form.hidden) queueMicrotask(() => element('token').focus());
    form.hidden = !isAsking;
  },
  onWelcome(message) {
    pending.clear();
    // Where the session stands elsewhere than in the picture, the picture begins anew.
    if (message.steps[0] !== step) history.clear();
    [step] = message.steps;
    ({ maxFrameBytes } = message);
    owed = 0;
    countedUntil = undefined;
    setParameters();
  },
  onMessage(message) {
    if (message.type === 'changed') {
      element('status').title =
        `tau ${message.tau} s, dt ${message.dt} s, noise ${message.noiseStd}`;
    } else if (message.type === 'error') {
      element('status').textContent = message.message;
    }
  },
  onAnswer: receive,
});

function setParameters() {
  if (!client.isLive) return;
  dt = controls.dt.value();
  const [tau, noiseStd] = [controls.tau.value(), controls.noise.value()];
  client.send(JSON.stringify({ type: 'set', tau, dt, noiseStd }));
}

/** Sends the steps of the time that has passed. */
function sendSteps(now) {
  if (!client.isLive || !isWanted()) {
    countedUntil = undefined;
    return;
  }
  owed += (now - (countedUntil ?? now)) / 1000;
  countedUntil = now;
  if (owed > MOST_BEHIND) {
    skipped += owed - MOST_BEHIND;
    owed = MOST_BEHIND;
  }
  const mostSteps = Math.max(
    1,
    Math.min(
      Math.floor(MESSAGE_SECONDS / dt),
      Math.floor((maxFrameBytes - HEADER_BYTES) / CHANNELS),
    ),
  );
  // What is less than a step is owed on.
  while (pending.size < MOST_PENDING && owed >= dt) {
    const steps = Math.min(Math.floor(owed / dt), mostSteps);
    owed -= steps * dt;
    sendMessage(steps, now);
  }
}

function sendMessage(steps, now) {
  const message = new Uint8Array(HEADER_BYTES + steps * CHANNELS);
  const header = new DataView(message.buffer);
  header.setUint32(0, sequence, true);
  header.setUint32(4, steps, true);
  // One source, number 0.
  header.setUint32(8, 1, true);
  const chance = Math.min(1, controls.rate.value() * dt);
  for (let i = HEADER_BYTES; i < message.length; i++) message[i] = Math.random() < chance ? 1 : 0;
  pending.set(sequence, { spikes: message.subarray(HEADER_BYTES), dt, sentAt: now });
  sequence = (sequence + 1) % 2 ** 32;
  client.send(message);
}

function receive(buffer) {
  const header = new DataView(buffer);
  const [number, steps] = [header.getUint32(0, true), header.getUint32(4, true)];
  const sent = pending.get(number);
  if (sent === undefined) return;
  pending.delete(number);
  history.add(sent.spikes, new Float32Array(buffer, HEADER_BYTES), steps, sent.dt);
  step += steps;
  isDrawn = false;
  answered.count++;
  answered.latency = Math.max(answered.latency, performance.now() - sent.sentAt);
}

function draw() {
  if (isDrawn) return;
  isDrawn = true;
  const { nColumns = HISTORY } = pictures.currents.plot ?? {};
  const scale = roundUp(Math.max(LEAST_SCALE, history.peak(nColumns)));
  pictures.draw(history, scale, theme);
  element('scale').textContent = `${format(-scale)} through 0 to ${format(scale)}`;
}

/** Numbers in words, twice a second. */
function tellFigures(now) {
  if (now - answered.since < 500) return;
  const rate = Math.round((answered.count * 1000) / (now - answered.since));
  const notes = [
    `step ${step.toLocaleString('en')}`,
    `${history.seconds.toFixed(1)} s simulated`,
    `${rate} messages a second`,
    `answered within ${answered.latency.toFixed(1)} ms`,
  ];
  if (owed > 1) notes.push(`${owed.toFixed(1)} s behind`);
  if (skipped > 0) notes.push(`${skipped.toFixed(1)} s skipped`);
  element('figures').textContent = notes.join(', ');
  Object.assign(answered, { count: 0, latency: 0, since: now });
}

function turn() {
  const now = performance.now();
  sendSteps(now);
  draw();
  tellFigures(now);
  requestAnimationFrame(turn);
}

/** Takes the token out of the address, where it would be seen, saved and sent on. */
function takeToken() {
  const address = new URL(location.href);
  const fragment = new URLSearchParams(address.hash.slice(1));
  const token = fragment.get('token') ?? address.searchParams.get('token');
  if (token === null) return;
  if (fragment.has('token')) {
    fragment.delete('token');
    address.hash = fragment.toString();
  }
  address.searchParams.delete('token');
  window.history.replaceState(window.history.state, '', address.href.replace(/#$/, ''));
  client.setToken(token);
}

for (const { input } of [controls.tau, controls.dt, controls.noise]) {
  input.addEventListener('input', setParameters);
}
element('controls').addEventListener('submit', (event) => event.preventDefault());
element('token-form').addEventListener('submit', (event) => {
  event.preventDefault();
  const input = element('token');
  client.setToken(input.value);
  input.value = '';
});
element('retry').addEventListener('click', () => client.retry());
element('restart').addEventListener('click', () => client.restart());
element('pause').addEventListener('click', () => {
  isPaused = !isPaused;
  element('pause').setAttribute('aria-pressed', String(isPaused));
  if (!isPaused) client.retry();
});
document.addEventListener('visibilitychange', () => {
  if (isWanted()) client.retry();
});
window.addEventListener('online', () => client.retry());
window.addEventListener('hashchange', takeToken);
const redraw = () => {
  theme = readTheme();
  isDrawn = false;
};
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', redraw);
new ResizeObserver(redraw).observe(document.body);

takeToken();
void client.run();
requestAnimationFrame(turn);
