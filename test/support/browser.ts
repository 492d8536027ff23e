import assert from 'node:assert/strict';
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';

/** The browser of the system, as the set-up finds it. */
export function findBrowser(): string {
  const folders = (process.env['PATH'] ?? '').split(delimiter);
  for (const name of ['chromium', 'chromium-browser', 'google-chrome']) {
    for (const folder of folders) {
      const file = join(folder, name);
      try {
        accessSync(file, constants.X_OK);
        return file;
      } catch {
        // Elsewhere, perhaps.
      }
    }
  }
  return assert.fail("Expected Chromium on the PATH; 'npm test' installs it.");
}
