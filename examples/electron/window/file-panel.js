// @ts-check
/** Opens a file, shows how its run proceeds, and shows the result. */

/** @type {(id: string) => any} Elements of index.html. */
const element = (id) => document.getElementById(id);

/** A file is being dragged, not a piece of text. */
const hasFile = ({ types }) => types.includes('Files');

export class FilePanel {
  #expsyn;
  #show;
  #form = element('run-form');
  #isAvailable = false;
  #isRunning = false;
  /** The name of the file that is to be computed. */
  #name;

  /**
   * @param {import('./expsyn.js').ExpsynBridge} expsyn
   * @param {() => void} show Brings the panel to the front.
   */
  constructor(expsyn, show) {
    this.#expsyn = expsyn;
    this.#show = show;
    element('choose').addEventListener('click', () => void this.#choose());
    element('cancel').addEventListener('click', () => expsyn.cancel());
    element('save').addEventListener('click', () => void expsyn.save());
    this.#form.addEventListener('submit', (event) => {
      event.preventDefault();
      this.#run();
    });
    this.#form.addEventListener('change', () => {
      element('time-unit').disabled = this.#form.elements.kind.value !== 'events';
    });
    this.#acceptDrops();
  }

  /** Whether there is an engine. */
  setAvailable(isAvailable) {
    this.#isAvailable = isAvailable;
    if (this.#isRunning && !isAvailable) this.#fail(`${this.#name} was not computed.`);
    this.#setRunning(false);
  }

  /** @param {import('./expsyn.js').RunEvent | import('./expsyn.js').EngineEvent} event */
  receive(event) {
    switch (event.type) {
      case 'run-started':
        this.#begin(event.name);
        break;
      case 'progress':
        this.#showProgress(event);
        break;
      case 'run-finished':
        this.#finish(event);
        break;
      case 'run-cancelled':
        this.#setRunning(false);
        this.#say(`${event.name} was cancelled.`);
        break;
      case 'run-failed':
        this.#setRunning(false);
        this.#fail(event.message, event.notes);
        break;
      case 'refused':
      case 'not-saved':
        this.#fail(event.message);
        break;
      case 'saved':
        this.#say(`${event.name} was saved.`);
        break;
    }
  }

  #acceptDrops() {
    // The window as a whole accepts files, so that none is missed by a few pixels.
    window.addEventListener('dragover', (event) => {
      event.preventDefault();
      const { dataTransfer } = event;
      if (dataTransfer === null) return;
      dataTransfer.dropEffect = hasFile(dataTransfer) ? 'copy' : 'none';
      if (hasFile(dataTransfer)) document.body.dataset.dragging = '';
    });
    window.addEventListener('dragleave', (event) => {
      if (event.relatedTarget === null) delete document.body.dataset.dragging;
    });
    window.addEventListener('drop', (event) => {
      event.preventDefault();
      delete document.body.dataset.dragging;
      const { dataTransfer } = event;
      if (dataTransfer !== null && hasFile(dataTransfer)) this.#take(dataTransfer.files);
    });
  }

  #take(files) {
    this.#show();
    if (files.length !== 1) {
      this.#fail(`Expected one file but received ${files.length}; drop one at a time.`);
      return;
    }
    if (this.#isRunning) {
      this.#fail(
        `Expected no other run but ${this.#name} is being computed; wait for its end or cancel it, then open ${files[0].name}.`,
      );
      return;
    }
    const name = this.#expsyn.takeFile(files[0]);
    if (name === undefined) {
      this.#fail(`Expected a file on a disk but received ${files[0].name}; save it first.`);
      return;
    }
    this.#open(name);
  }

  async #choose() {
    const name = await this.#expsyn.chooseFile();
    if (name !== undefined) this.#open(name);
  }

  #open(name) {
    this.#name = name;
    element('chosen').textContent = name;
    this.#setRunning(this.#isRunning);
    this.#run();
  }

  #run() {
    if (!this.#isAvailable || this.#name === undefined) return;
    if (!this.#form.reportValidity()) return;
    const { kind } = this.#form.elements;
    this.#expsyn.run({
      tau: element('file-tau').valueAsNumber / 1000,
      dt: element('file-dt').valueAsNumber / 1000,
      timeUnit: kind.value === 'events' ? element('time-unit').value : undefined,
    });
  }

  #begin(name) {
    this.#clear();
    this.#setRunning(true);
    element('progress').removeAttribute('value');
    element('progress-text').textContent = `Computing ${name}`;
    element('cancel').focus();
  }

  #showProgress({ share, secondsLeft }) {
    if (share >= 1) {
      // The picture takes a while longer, nobody knows how long.
      element('progress').removeAttribute('value');
      element('progress-text').textContent = 'Drawing the picture';
      return;
    }
    const left = secondsLeft === null ? '' : `, ${secondsLeft} s left`;
    element('progress').value = share;
    element('progress-text').textContent = `Computing ${this.#name}${left}`;
  }

  #finish({ name, facts, notes, picture }) {
    element('result').hidden = false;
    this.#setRunning(false);
    element('result-name').textContent = name;
    element('facts').replaceChildren(...facts.flatMap(createFact));
    this.#showNotes(notes);
    const image = element('picture');
    if (image.src !== '') URL.revokeObjectURL(image.src);
    image.src = URL.createObjectURL(new Blob([picture], { type: 'image/svg+xml' }));
    image.alt = `Rate and spikes of ${name}, and their synaptic currents, over time`;
    this.#say(`${name} is computed.`);
  }

  #setRunning(isRunning) {
    this.#isRunning = isRunning;
    const isFocused = document.activeElement === element('cancel');
    element('run').hidden = !isRunning;
    element('choose').disabled = isRunning || !this.#isAvailable;
    element('compute').disabled = isRunning || !this.#isAvailable || this.#name === undefined;
    // The button that had the focus is gone; the next one to use has it now.
    if (!isRunning && isFocused) element(element('result').hidden ? 'choose' : 'save').focus();
  }

  #clear() {
    element('result').hidden = true;
    this.#say('');
    this.#showNotes([]);
  }

  #say(text) {
    element('run-error').textContent = '';
    element('run-status').textContent = text;
  }

  #fail(message, notes = []) {
    element('run-status').textContent = '';
    element('run-error').textContent = message;
    this.#showNotes(notes);
  }

  #showNotes(notes) {
    const items = notes.map((note) => {
      const item = document.createElement('li');
      item.textContent = note;
      return item;
    });
    element('notes').replaceChildren(...items);
  }
}

function createFact([label, text]) {
  const [term, description] = [document.createElement('dt'), document.createElement('dd')];
  term.textContent = label;
  description.textContent = text;
  return [term, description];
}
