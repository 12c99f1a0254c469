// expect: Timeout | OutOfMemory | StackOverflow
function handler(input) {
  function* nest(inner) { yield* inner; yield* nest(inner); }
  let all = nest([1]);
  for (;;) { all = nest(all); all.next(); }
}
