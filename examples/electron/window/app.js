// @ts-check
/** Puts the page together: the two views, and the connection to the engine. */
import { FilePanel } from './file-panel.js';
import { LivePanel } from './live-panel.js';
import { Tabs } from './tabs.js';

const { expsyn } = window;
/** @type {(id: string) => any} Elements of index.html. */
const element = (id) => document.getElementById(id);
const tabs = new Tabs(['live', 'file']);
const live = new LivePanel(expsyn, () => tabs.shown === 'live');
const file = new FilePanel(expsyn, () => tabs.show('file'));

function showState(state, text) {
  element('status').dataset.state = state;
  element('status').textContent = text;
  element('restart').hidden = state !== 'stopped';
}

/** @param {import('./expsyn.js').EngineEvent} event */
function receive(event) {
  switch (event.type) {
    case 'connected':
      showState('live', 'ready');
      live.start();
      file.setAvailable(true);
      break;
    case 'unavailable':
      showState('stopped', event.message);
      live.stop();
      file.setAvailable(false);
      break;
    case 'steps':
      live.receive(event);
      break;
    case 'refused':
      if (event.request === 'steps') live.refuse(event.message);
      else file.receive(event);
      break;
    default:
      file.receive(event);
  }
}

async function connect() {
  showState('waiting', 'starting');
  try {
    await expsyn.connect(receive);
  } catch (error) {
    showState('stopped', String(error));
  }
}

element('restart').addEventListener('click', connect);
void connect();
