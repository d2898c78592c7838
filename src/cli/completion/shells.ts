// The completion scripts of the shells. They know none of the commands: each tab calls `nexusctl __complete`.

export const SHELLS = ["bash", "zsh", "fish"] as const;
export type Shell = (typeof SHELLS)[number];

export const scriptFor = (shell: Shell): string => SCRIPTS[shell];

const bash = `# Completion of nexusctl for bash, made by: nexusctl completion bash

_nexusctl() {
  local current=\${COMP_WORDS[COMP_CWORD]} line
  local -a lines
  COMPREPLY=()
  # "--option=value" comes as three words.
  if [[ $current == = ]]; then current=''; fi
  mapfile -t lines < <("\${COMP_WORDS[0]}" __complete "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null </dev/null)
  case \${lines[0]-} in
    words)
      for line in "\${lines[@]:1}"; do COMPREPLY+=("\${line%%$'\\t'*}"); done
      ;;
    file)
      compopt -o filenames 2>/dev/null
      mapfile -t COMPREPLY < <(compgen -f -- "$current")
      ;;
    directory)
      compopt -o filenames 2>/dev/null
      mapfile -t COMPREPLY < <(compgen -d -- "$current")
      ;;
  esac
}

complete -F _nexusctl nexusctl
`;

const zsh = `#compdef nexusctl
# Completion of nexusctl for zsh, made by: nexusctl completion zsh

_nexusctl() {
  local -a lines found
  lines=("\${(@f)$("$words[1]" __complete "\${(@Q)words[2,CURRENT]}" 2>/dev/null </dev/null)}")
  [[ $words[CURRENT] == --*=* ]] && compset -P '*='
  case $lines[1] in
    words)
      found=("\${(@)lines[2,-1]}")
      found=(\${\${found/$'\\t'/:}%:})
      [[ $#found -gt 0 ]] || return 1
      if [[ $words[CURRENT] == -* ]]; then _describe -o option found; else _describe completion found; fi
      ;;
    file) _files ;;
    directory) _files -/ ;;
    *) return 1 ;;
  esac
}

# A file in $fpath is the function itself when it is first called; elsewhere it is only read.
if [[ $funcstack[1] == _nexusctl ]]; then
  _nexusctl "$@"
else
  compdef _nexusctl nexusctl
fi
`;

const fish = `# Completion of nexusctl for fish, made by: nexusctl completion fish

function __nexusctl_complete
    set -l given (commandline -opc)
    set -l current (commandline -ct)
    set -l program $given[1]
    set -e given[1]
    set -l lines ($program __complete $given "$current" </dev/null 2>/dev/null)
    set -l kind "$lines[1]"
    set -e lines[1]
    set -l prefix (string match -r -- '^--[^=]+=' "$current")
    set current (string replace -r -- '^--[^=]+=' '' "$current")
    switch "$kind"
        case words
            test (count $lines) -gt 0; and printf '%s\\n' $lines
        case file
            __fish_complete_path "$current"
        case directory
            __fish_complete_directories "$current"
    end | string replace -r '^' -- "$prefix"
end

complete -c nexusctl -f -a '(__nexusctl_complete)'
`;

const SCRIPTS = { bash, zsh, fish };
