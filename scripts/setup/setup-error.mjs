/** Why the set-up cannot continue, in a sentence that says what to do. */
export class SetupError extends Error {}
