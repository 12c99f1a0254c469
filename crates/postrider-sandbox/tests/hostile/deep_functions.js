// expect: StackOverflow | Thrown | Syntax | OutOfMemory
eval('function handler() { return '.repeat(10000) + '1' + '}'.repeat(10000));
