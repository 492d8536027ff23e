/** Formats the C++ sources with clang-format. With --check, only reports what is not formatted. */
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const files = ['native', 'test/native'].flatMap((folder) =>
  readdirSync(join(root, folder), { recursive: true })
    .filter((file) => /\.(h|cc|inc)$/.test(file))
    .map((file) => join(folder, file)),
);
const mode = process.argv.includes('--check') ? ['--dry-run', '--Werror'] : ['-i'];
const { status, error } = spawnSync('clang-format', [...mode, ...files], {
  cwd: root,
  stdio: 'inherit',
});
if (error !== undefined) {
  console.error("Expected clang-format but it could not be run; run 'npm run setup -- --lint'.");
}
process.exitCode = status ?? 1;
