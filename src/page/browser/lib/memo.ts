// A component that is rendered again only if one of its props is a different object.

import { Component, type ComponentChild, createElement, type FunctionComponent } from "preact";

export function memo<P extends object>(view: FunctionComponent<P>): FunctionComponent<P> {
  class Memo extends Component<P> {
    override shouldComponentUpdate(next: P): boolean {
      // Both have the same keys: they are the props of one component.
      for (const key of Object.keys(next) as (keyof P)[]) if (next[key] !== this.props[key]) return true;
      return false;
    }
    override render(props: P): ComponentChild {
      return createElement(view, props);
    }
  }
  return (props) => createElement(Memo, props);
}
