// The scripts by which a shell completes nexusctl. Each holds the same two tables, of what comes in a place and of what
// comes after an option or as an argument, and the same walk over the words of the command line.

import type { Place, Source } from "./completion-places.ts";

export const SHELLS = ["bash", "zsh", "fish"] as const;
export type Shell = (typeof SHELLS)[number];

export const scriptFor = (shell: Shell, places: Place[]): string => SCRIPTS[shell](places);

/** For bash and zsh. */
const quoted = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;
const quotedForFish = (text: string): string => `'${text.replace(/[\\']/g, "\\$&")}'`;

const sourceWord = (source: Source): string =>
  source.kind === "words"
    ? `words ${source.words.join(" ")}`
    : source.kind === "names"
      ? `names ${source.of}`
      : source.kind;

/** What is asked for, `PLACE:OPTION` or `PLACE:NUMBER`, and its source. What nobody knows is left out of arguments. */
const values = (places: Place[]): [string, string][] =>
  places.flatMap(({ path, options, arguments: taken }) => [
    ...options.flatMap(({ name, value }): [string, string][] =>
      value ? [[`${path}:${name}`, sourceWord(value)]] : [],
    ),
    ...taken.flatMap((source, index): [string, string][] =>
      source.kind === "free" ? [] : [[`${path}:${index + 1}`, sourceWord(source)]],
    ),
  ]);

const cases = (places: Place[], each: (place: Place) => string): string =>
  places.map((place) => `    ${quoted(place.path)}) ${each(place)} ;;`).join("\n");

const valueCases = (places: Place[]): string =>
  values(places)
    .map(([what, source]) => `    ${quoted(what)}) source=${quoted(source)} ;;`)
    .join("\n");

const names = (list: { name: string }[]): string => quoted(list.map(({ name }) => name).join(" "));

const bash = (
  places: Place[],
): string => `# Completion of nexusctl for bash, made by: nexusctl completion bash

# The commands and options of a place, which the commands before it lead to.
_nexusctl_place() {
  case $1 in
${cases(places, ({ commands, options }) => `commands=${names(commands)} options=${names(options)}`)}
  esac
}

# Where what comes after an option of a place, or as its argument of that number, is from.
_nexusctl_value() {
  case "$1:$2" in
${valueCases(places)}
    *) return 1 ;;
  esac
}

_nexusctl() {
  local IFS=$' \\t\\n' current=\${COMP_WORDS[COMP_CWORD]} place='' number=1 option='' word='' source='' commands options i
  local -a daemon=()
  COMPREPLY=()
  # "--option=value" comes as three words.
  if [[ $current == = ]]; then current=''; fi
  _nexusctl_place ''
  for ((i = 1; i < COMP_CWORD; i++)); do
    word=\${COMP_WORDS[i]}
    if [[ $word == = ]]; then
      continue
    elif [[ -n $option && $word != -?* ]]; then
      if [[ $option == --socket || $option == --config ]]; then daemon+=("$option" "$word"); fi
      option=''
    elif [[ $word == -?* ]]; then
      option=''
      if _nexusctl_value "$place" "$word"; then option=$word; fi
    elif [[ " $commands " == *" $word "* ]]; then
      place=\${place:+$place }$word number=1 option=''
      _nexusctl_place "$place"
    else
      number=$((number + 1)) option=''
    fi
  done
  source=''
  if [[ -n $option && $current != -?* ]]; then
    _nexusctl_value "$place" "$option"
  elif [[ $current == -* ]]; then
    source="words $options"
  elif [[ $number == 1 && -n $commands ]]; then
    source="words $commands"
  else
    _nexusctl_value "$place" "$number"
  fi
  case $source in
    'words '*)
      for word in \${source#words }; do
        if [[ $word == "$current"* ]]; then COMPREPLY+=("$word"); fi
      done
      ;;
    'names '*)
      while IFS=$'\\t' read -r word _; do
        if [[ $word == "$current"* ]]; then COMPREPLY+=("$word"); fi
      done < <("\${COMP_WORDS[0]}" "\${daemon[@]}" completion names "\${source#names }" 2>/dev/null </dev/null)
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

const described = (list: { name: string; description: string }[]): string =>
  list.map(({ name, description }) => quoted(`${name}:${description}`)).join(" ");

const zsh = (places: Place[]): string => `#compdef nexusctl
# Completion of nexusctl for zsh, made by: nexusctl completion zsh

# The commands and options of a place, which the commands before it lead to.
_nexusctl_place() {
  case $1 in
${cases(places, ({ commands, options }) => `subcommands=(${described(commands)}) flags=(${described(options)})`)}
  esac
}

# Where what comes after an option of a place, or as its argument of that number, is from.
_nexusctl_value() {
  case "$1:$2" in
${valueCases(places)}
    *) return 1 ;;
  esac
}

_nexusctl() {
  local current=$words[CURRENT] place= number=1 option= word= source=
  local -a subcommands flags daemon found
  _nexusctl_place ''
  for word in "\${(@)words[2,CURRENT-1]}"; do
    if [[ -n $option && $word != -?* ]]; then
      if [[ $option == (--socket|--config) ]]; then daemon+=($option "\${(Q)word}"); fi
      option=
    elif [[ $word == (--socket|--config)=* ]]; then
      daemon+=("\${(Q)word}") option=
    elif [[ $word == -?* ]]; then
      option=
      if _nexusctl_value "$place" "$word"; then option=$word; fi
    elif [[ -n \${(M)subcommands:#$word:*} ]]; then
      place=\${place:+$place }$word number=1 option=
      _nexusctl_place "$place"
    else
      number=$((number + 1)) option=
    fi
  done
  source=
  if [[ $current == --*=* ]]; then
    _nexusctl_value "$place" "\${current%%=*}" || return 1
    compset -P '*='
  elif [[ -n $option && $current != -?* ]]; then
    _nexusctl_value "$place" "$option"
  elif [[ $current == -* ]]; then
    _describe -o option flags
    return
  elif [[ $number == 1 && $#subcommands -gt 0 ]]; then
    _describe command subcommands
    return
  else
    _nexusctl_value "$place" "$number" || return 1
  fi
  case $source in
    'words '*) compadd -- \${=source#words } ;;
    'names '*)
      found=("\${(@f)$("$words[1]" $daemon completion names "\${source#names }" 2>/dev/null </dev/null)}")
      found=(\${\${found/$'\\t'/:}%:})
      [[ $#found -gt 0 ]] && _describe name found
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

const fishCases = (
  places: Place[],
  each: (place: Place) => { name: string; description: string }[],
): string =>
  places
    .map((place) => ({ place, list: each(place) }))
    .filter(({ list }) => list.length > 0)
    .map(
      ({ place, list }) => `        case ${quotedForFish(place.path)}
            printf '%s\\t%s\\n' ${list.flatMap(({ name, description }) => [name, description].map(quotedForFish)).join(" ")}`,
    )
    .join("\n");

const fish = (
  places: Place[],
): string => `# Completion of nexusctl for fish, made by: nexusctl completion fish

# The commands of a place, which the commands before it lead to.
function __nexusctl_commands
    switch "$argv[1]"
${fishCases(places, ({ commands }) => commands)}
    end
end

function __nexusctl_options
    switch "$argv[1]"
${fishCases(places, ({ options }) => options)}
    end
end

# Where what comes after an option of a place, or as its argument of that number, is from.
function __nexusctl_value
    switch "$argv[1]:$argv[2]"
${values(places)
  .map(([what, source]) => `        case ${quotedForFish(what)}\n            echo ${quotedForFish(source)}`)
  .join("\n")}
        case '*'
            return 1
    end
end

function __nexusctl_complete
    set -l given (commandline -opc)
    set -l current (commandline -ct)
    set -l program $given[1]
    set -e given[1]
    set -l place ''
    set -l number 1
    set -l option ''
    set -l daemon
    set -l source ''
    for word in $given
        if test -n "$option"; and not string match -qr -- '^-.' $word
            contains -- $option --socket --config; and set -a daemon $option $word
            set option ''
        else if string match -qr -- '^--(socket|config)=' $word
            set -a daemon $word
            set option ''
        else if string match -qr -- '^-.' $word
            set option ''
            __nexusctl_value "$place" $word >/dev/null; and set option $word
        else if contains -- $word (__nexusctl_commands "$place" | string replace -r '\\t.*' '')
            set place (string trim -- "$place $word")
            set number 1
            set option ''
        else
            set number (math $number + 1)
            set option ''
        end
    end
    set -l prefix ''
    if string match -qr -- '^--[^=]+=' "$current"
        set prefix (string replace -r -- '=.*' '=' $current)
        set source (__nexusctl_value "$place" (string replace -r -- '=.*' '' $current))
        set current (string replace -r -- '^[^=]*=' '' $current)
    else if test -n "$option"; and not string match -qr -- '^-.' "$current"
        set source (__nexusctl_value "$place" $option)
    else if string match -q -- '-*' "$current"
        __nexusctl_options "$place"
        return
    else if test $number = 1; and __nexusctl_commands "$place" | string match -q -- '*'
        __nexusctl_commands "$place"
        return
    else
        set source (__nexusctl_value "$place" $number)
    end
    switch "$source"
        case 'words *'
            string split -n ' ' -- (string replace 'words ' '' -- $source)
        case 'names *'
            begin
                $program $daemon completion names (string replace 'names ' '' -- $source) </dev/null
            end 2>/dev/null
        case file
            __fish_complete_path "$current"
        case directory
            __fish_complete_directories "$current"
    end | string replace -r '^' -- $prefix
end

complete -c nexusctl -f -a '(__nexusctl_complete)'
`;

const SCRIPTS = { bash, zsh, fish };
