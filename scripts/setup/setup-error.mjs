/** A reason for which set-up cannot go on, in a sentence that says what to do. */
export class SetupError extends Error {}
