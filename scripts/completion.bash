# Completes holdfast's commands, options and file names in bash. Installed by `make install`;
# without that:  source scripts/completion.bash
#
# Commands and options are read from `holdfast --help`, so that they are always its own.

_holdfast() {
    local word=${COMP_WORDS[COMP_CWORD]} words
    COMPREPLY=()
    if [ "$COMP_CWORD" -eq 1 ]; then
        words=$("${COMP_WORDS[0]}" --help 2>/dev/null | sed -n 's/^  \([a-z]*\)  .*/\1/p')
    elif [[ $word == -* ]]; then
        words=$("${COMP_WORDS[0]}" "${COMP_WORDS[1]}" --help 2>/dev/null | sed -n \
            -e 's/^  \(--\)\[no-\]\([a-z0-9-]*\).*/\1\2 --no-\2/p' \
            -e 's/^  \(-h, \)\{0,1\}\(--[a-z][a-z0-9-]*\).*/\2/p')
    elif [ "$COMP_CWORD" -eq 2 ]; then
        case ${COMP_WORDS[1]} in
        audit) words=leak ;;
        inspect) words="model tokens template mask logits gradients tense" ;;
        esac
    fi
    [ -z "$words" ] || mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word")
}
complete -o default -F _holdfast holdfast
