// expect: OutOfMemory | Timeout
function handler(input) {
  const all = [];
  for (;;) all.push(Symbol(all.length));
}
