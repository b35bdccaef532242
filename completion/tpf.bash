# bash completion for tpfctl, tpfd, tpf-forward, tpf-krypt and tpf-register. Asks the program's own --help, so that it never
# knows less, or more, than the program does.

_tpf() {
  local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]}
  local -a command=("${COMP_WORDS[0]}")
  local help subcommands i
  COMPREPLY=()
  # The subcommands so far; whatever else was typed is no one's.
  help=$("${command[0]}" --help 2>/dev/null) || return 0
  for ((i = 1; i < COMP_CWORD; i++)); do
    subcommands=$(_tpf_part Subcommands <<<"$help")
    grep -qxF -- "${COMP_WORDS[i]}" <<<"$subcommands" || continue
    command+=("${COMP_WORDS[i]}")
    help=$("${command[@]}" --help 2>/dev/null) || return 0
  done
  case $before in
  --state) mapfile -t COMPREPLY < <(compgen -W 'claimed committed delivered quarantined held discarded duplicate' -- "$word"); return 0 ;;
  --kind)
    local kinds='message pseudonym signing register receipt'
    [[ ${command[*]: -2} != 'audit show' ]] || kinds='start stop configuration key received duplicate held claimed pseudonymised answered
      delivered quarantined retried discarded receipt-refused removed operator rebuilt log-origin witnessed contradicted list-deleted segment-closed'
    mapfile -t COMPREPLY < <(compgen -W "$kinds" -- "$word"); return 0 ;;
  esac
  # An option that takes a value: a file, as far as can be known here.
  if [[ $before == --* ]] && grep -qE -- "^  (-.,)?$before [A-Z]" <<<"$help"; then
    mapfile -t COMPREPLY < <(compgen -f -- "$word"); return 0
  fi
  if [[ $word == -* ]]; then
    mapfile -t COMPREPLY < <(compgen -W "$(_tpf_part Options <<<"$help")" -- "$word"); return 0
  fi
  subcommands=$(_tpf_part Subcommands <<<"$help")
  if [ -n "$subcommands" ]; then
    mapfile -t COMPREPLY < <(compgen -W "$subcommands" -- "$word")
  else
    mapfile -t COMPREPLY < <(compgen -f -- "$word")
  fi
}

# _tpf_part SECTION: the names in that section of a help text; of an option its long form.
_tpf_part() {
  awk -v section="$1:" '$0 == section { on = 1; next } /^[^ ]/ { on = 0 } on && /^  [^ ]/ { n = split($1, names, ","); print names[n] }'
}

complete -o filenames -F _tpf tpfctl tpfd tpf-forward tpf-krypt tpf-register
