// expect: StackOverflow | OutOfMemory
function handler(input) {
  const next = () => ({ toJSON() { return { next: next() }; } });
  return next();
}
