/** Sends spikes to the server as simulated time passes, and shows them with their currents. */
import { Client } from './client.js';
import { createControls } from './controls.js';
import { LiveView } from './drawing/live-view.js';
import { createMessage, HEADER_BYTES, readAnswer } from './messages.js';
import { SimulationClock } from './simulation-clock.js';

const CHANNELS = 48;
/** The most simulated seconds of one message. */
const MESSAGE_SECONDS = 0.25;
/** The most messages without an answer, so that a slow line does not fill up. */
const MOST_PENDING = 8;

const element = (id) => document.getElementById(id);
const controls = createControls(['tau', 'tau-rise', 'dt', 'noise', 'rate']);
const view = new LiveView(CHANNELS, {
  raster: element('raster'),
  currents: element('currents'),
  trace: element('trace'),
});
const clock = new SimulationClock();
let isPaused = false;

/** Messages without an answer, by their sequence number. */
const pending = new Map();
let sequence = 0;
let maxFrameBytes = 0;
/** The dt that the server uses, and the next step that it has not answered yet. */
let dt = controls.dt.value();
let step = 0;
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
    // What is drawn belongs to this session only if the session stands where the drawing ends.
    if (message.steps[0] !== step) view.clear();
    [step] = message.steps;
    ({ maxFrameBytes } = message);
    clock.reset();
    setParameters();
  },
  onMessage(message) {
    if (message.type === 'changed') {
      element('status').title = describeParameters(message);
    } else if (message.type === 'error') {
      element('status').textContent = message.message;
    }
  },
  onAnswer: receive,
});

function describeParameters({ kernel, tau, tauRise, dt, noiseStd }) {
  const rise = kernel === 'double-exp' ? `, rise ${tauRise} s` : '';
  return `kernel ${kernel}, tau ${tau} s${rise}, dt ${dt} s, noise ${noiseStd}`;
}

/** The shortest rise time that the server takes, in seconds. */
const SHORTEST_RISE = 1e-5;

function setParameters() {
  const kernel = element('kernel').value;
  element('rise').hidden = kernel !== 'double-exp';
  if (!client.isLive) return;
  dt = controls.dt.value();
  const [tau, noiseStd] = [controls.tau.value(), controls.noise.value()];
  const share = controls['tau-rise'].value();
  const tauRise = Math.min(tau, Math.max(SHORTEST_RISE, tau * share));
  client.send(JSON.stringify({ type: 'set', kernel, tau, tauRise, dt, noiseStd }));
}

/** Sends the steps of the time that has passed. Less than a step is left for the next time. */
function sendSteps(now) {
  if (!client.isLive || !isWanted()) {
    clock.stop();
    return;
  }
  clock.update(now);
  const room = Math.floor((maxFrameBytes - HEADER_BYTES) / CHANNELS);
  const most = Math.max(1, Math.min(Math.floor(MESSAGE_SECONDS / dt), room));
  while (pending.size < MOST_PENDING) {
    const steps = clock.takeSteps(dt, most);
    if (steps === 0) return;
    sendMessage(steps, now);
  }
}

function sendMessage(steps, now) {
  const { message, spikes } = createMessage(sequence, steps, CHANNELS);
  const chance = Math.min(1, controls.rate.value() * dt);
  for (let i = 0; i < spikes.length; i++) spikes[i] = Math.random() < chance ? 1 : 0;
  pending.set(sequence, { spikes, dt, sentAt: now });
  sequence = (sequence + 1) % 2 ** 32;
  client.send(message);
}

function receive(buffer) {
  const answer = readAnswer(buffer);
  const sent = pending.get(answer.sequence);
  if (sent === undefined) return;
  pending.delete(answer.sequence);
  view.add(sent.spikes, answer.currents, answer.steps, sent.dt);
  step += answer.steps;
  answered.count++;
  answered.latency = Math.max(answered.latency, performance.now() - sent.sentAt);
}

function draw() {
  const scale = view.draw();
  if (scale !== undefined) element('scale').textContent = scale.join(' through 0 to ');
}

/** Shows some numbers, twice a second. */
function showFigures(now) {
  if (now - answered.since < 500) return;
  const rate = Math.round((answered.count * 1000) / (now - answered.since));
  const notes = [
    `step ${step.toLocaleString('en')}`,
    `${view.seconds.toFixed(1)} s simulated`,
    `${rate} messages a second`,
    `answered within ${answered.latency.toFixed(1)} ms`,
  ];
  if (clock.behind > 1) notes.push(`${clock.behind.toFixed(1)} s behind`);
  if (clock.skipped > 0) notes.push(`${clock.skipped.toFixed(1)} s skipped`);
  element('figures').textContent = notes.join(', ');
  Object.assign(answered, { count: 0, latency: 0, since: now });
}

function showFrame() {
  const now = performance.now();
  sendSteps(now);
  draw();
  showFigures(now);
  requestAnimationFrame(showFrame);
}

/** Takes the token out of the address, where others could see it and browsers would save it. */
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

for (const name of ['tau', 'tau-rise', 'dt', 'noise']) {
  controls[name].input.addEventListener('input', setParameters);
}
element('kernel').addEventListener('input', setParameters);
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
const updateTheme = () => view.updateTheme();
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', updateTheme);
new ResizeObserver(updateTheme).observe(document.body);

setParameters();
takeToken();
void client.run();
requestAnimationFrame(showFrame);
