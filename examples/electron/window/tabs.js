// @ts-check
/** Tabs as the ARIA practices describe them: one is reached by Tab, the others by arrow keys. */
export class Tabs {
  #names;
  shown;

  /** @param names Ids of the panels; the tab of each is NAME-tab. The first panel is shown. */
  constructor(names) {
    this.#names = names;
    for (const name of names) {
      const tab = tabOf(name);
      tab.addEventListener('click', () => this.show(name));
      tab.addEventListener('keydown', (event) => this.#move(event, name));
    }
    this.show(names[0]);
  }

  show(shown) {
    this.shown = shown;
    for (const name of this.#names) {
      const isShown = name === shown;
      tabOf(name).setAttribute('aria-selected', String(isShown));
      tabOf(name).tabIndex = isShown ? 0 : -1;
      panelOf(name).hidden = !isShown;
    }
  }

  #move(event, name) {
    const { length } = this.#names;
    const at = this.#names.indexOf(name);
    const places = { ArrowRight: at + 1, ArrowLeft: at - 1 + length, Home: 0, End: length - 1 };
    const place = places[event.key];
    if (place === undefined) return;
    event.preventDefault();
    const next = this.#names[place % length];
    this.show(next);
    tabOf(next).focus();
  }
}

/** @type {(name: string) => any} */
const panelOf = (name) => document.getElementById(name);
/** @type {(name: string) => any} */
const tabOf = (name) => document.getElementById(`${name}-tab`);
