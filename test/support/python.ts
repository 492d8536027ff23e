import { existsSync } from 'node:fs';

/** The system's Python, for which the set-up installs NumPy and others. */
export const PYTHON = existsSync('/usr/bin/python3') ? '/usr/bin/python3' : 'python3';
