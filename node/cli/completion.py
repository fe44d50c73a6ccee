"""`glow completion`: a script that lets a shell complete commands, nodes, resources and paths."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace

from node.cli.complete import SHELLS
from node.cli.failures import OK

NAME = "completion"
HELP = "a script that lets your shell complete commands"

BASH = r"""# Completion of glow for bash 3.2 and newer. In ~/.bashrc:  eval "$(glow completion bash)"
_glow() {
    local candidate
    COMPREPLY=()
    while IFS= read -r candidate; do
        COMPREPLY+=("$candidate")
    done < <(command glow complete bash -- "$COMP_WORDBREAKS" "${COMP_LINE:0:COMP_POINT}" 2>/dev/null)
}
complete -o nospace -F _glow glow
"""
ZSH = r"""#compdef glow
# Completion of glow for zsh. In ~/.zshrc, after compinit:  eval "$(glow completion zsh)"
_glow() {
    local candidate nothing=1
    local -a finished unfinished
    while IFS= read -r candidate; do
        if [[ $candidate == *' ' ]]; then
            finished+=("${candidate% }")
        else
            unfinished+=("$candidate")
        fi
    done < <(command glow complete zsh -- "${(Q)PREFIX}" "${(@Q)words[1,CURRENT-1]}" 2>/dev/null)
    (( $#finished )) && compadd -a finished && nothing=0
    (( $#unfinished )) && compadd -S '' -a unfinished && nothing=0
    return nothing
}
if [[ $funcstack[1] == _glow ]]; then
    _glow "$@"
else
    compdef _glow glow
fi
"""
FISH = r"""# Completion of glow for fish. In ~/.config/fish/config.fish:  glow completion fish | source
function __glow_complete
    set -l current (commandline -ct)
    set -l plain (string unescape -- "$current")
    and set current $plain
    command glow complete fish -- "$current" (commandline -opc) 2>/dev/null
end
complete -c glow -f -a '(__glow_complete)'
"""
SCRIPTS = {"bash": BASH, "zsh": ZSH, "fish": FISH}


def configure(parser: ArgumentParser) -> None:
    parser.add_argument("shell", choices=SHELLS, help="the shell that is to complete")
    parser.epilog = 'For example, in ~/.bashrc: eval "$(glow completion bash)"'


def run(arguments: Namespace) -> int:
    sys.stdout.write(SCRIPTS[arguments.shell])
    return OK
