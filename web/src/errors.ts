/** What is wrong for the user to mend: a model folder that is damaged, a picture that cannot be read, a bad setting. */
export class LipsegError extends Error {
  override readonly name = "LipsegError";
}

/** Returns what an error says, or a name, as a line of at most so many characters that print. */
export function inBrief(said: unknown, most = 300): string {
  return String(said).replace(/[\s\p{Cc}]+/gu, " ").slice(0, most);
}
