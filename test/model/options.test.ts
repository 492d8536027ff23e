/** The table of options: what it says of an option is what the module does. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import { ExpSyn } from '../../lib/index';
import { optionsOf, type OptionName } from '../../lib/modules/options';

const OPTIONS = optionsOf(ExpSyn.definition);
const NAMES = Object.keys(OPTIONS) as OptionName[];

describe('the table of options', () => {
  it('has the defaults of a module', () => {
    const module = new ExpSyn(2);
    for (const name of NAMES) {
      const { initial, isDrawn, kind } = OPTIONS[name];
      if (isDrawn) assert.notEqual(initial(), initial(), name);
      else assert.equal(module[name], initial(), name);
      assert.equal(name in module.simulationParameters(), kind === 'SimulationParameter', name);
    }
  });

  it('permits its defaults, and refuses what a module refuses', () => {
    for (const name of NAMES) {
      const { check, initial, choices } = OPTIONS[name];
      for (const value of [initial(), ...(choices ?? [])]) assert.equal(check(value, name), value);
      for (const value of [null, [], {}, -1, 'nothing like it', NaN]) {
        const isPermitted = name === 'name' && typeof value === 'string';
        if (isPermitted) continue;
        const refused = { message: /^Expected .* but received /, argument: name };
        assert.throws(() => check(value, name), refused, name);
        assert.throws(() => new ExpSyn(2, { [name]: value }), refused, name);
      }
    }
  });

  it('says in a few words what its doc comments say', () => {
    const source = readFileSync(join(__dirname, '../../lib/modules/options.ts'), 'utf8');
    for (const name of NAMES) {
      const { summary } = OPTIONS[name];
      assert.match(summary, /^[a-z].*[^.]$/);
      const comment = new RegExp(`/\\*\\*((?:[^*]|\\*[^/])*)\\*/\\s+${name}: `).exec(source)?.[1];
      const words = (comment ?? '').replace(/[\s*]+/g, ' ').toLowerCase();
      assert.ok(
        words.startsWith(` ${summary.split(/[,;]/)[0]?.toLowerCase()}`),
        `${name}: ${words}`,
      );
    }
  });
});
