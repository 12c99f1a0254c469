// expect: Syntax
import * as std from 'std';
function handler() { return std.loadFile('/etc/passwd'); }
