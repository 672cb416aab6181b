# Answers the SMT-LIB scripts on its input, each ended by a line "(reset)", with
# cvc5. With --version it prints the version.
import sys

import cvc5


def answer(script):
    solver = cvc5.Solver(cvc5.TermManager())
    symbols = cvc5.SymbolManager(solver.getTermManager())
    parser = cvc5.InputParser(solver, symbols)
    parser.setStringInput(cvc5.InputLanguage.SMT_LIB_2_6, script, "script")
    answers = []
    while not (command := parser.nextCommand()).isNull():
        answers += command.invoke(solver, symbols).split()
    return " ".join(answers)


if sys.argv[1:] == ["--version"]:
    print("cvc5", cvc5.Solver(cvc5.TermManager()).getVersion().decode())
    sys.exit()
script = ""
for line in sys.stdin:
    if line != "(reset)\n":
        script += line
        continue
    try:
        print(answer(script), flush=True)
    except Exception as e:
        print('(error "%s")' % " ".join(str(e).split()), flush=True)
    script = ""
