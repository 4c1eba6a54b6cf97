"""Control plane and site, in whatever order: nothing passes that the site's own policy refuses."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from core.errors import PosternError
from edge.privacy.policies import Policies, PolicyLooser
from edge.privacy.policy import Action, Policy, Request, decide_under, from_table, stricter
from edge.privacy.policy_files import PolicyUnsigned
from tests.unit.edge.privacy.policy_cases import Table, neighbours, passes, permits_no_more, requests, tables


class Tightening(RuleBasedStateMachine):
    """Site, control plane and restarts; the model is the tables, judged by the oracle."""

    def __init__(self) -> None:
        super().__init__()
        self.site: Table | None = None
        self.cloud: Table | None = None
        self.asked: list[Request] = []
        self.policies = Policies(self._signed)

    def _signed(self) -> Policy:
        if self.site is None:
            raise PolicyUnsigned
        return from_table(self.site)

    @rule(table=tables())
    def site_signs(self, table: Table) -> None:
        self.site = table

    @rule(data=st.data())
    def site_changes_a_line(self, data: st.DataObject) -> None:
        if self.site is not None:
            self.site = data.draw(neighbours(self.site))

    @rule()
    def the_file_is_edited(self) -> None:
        self.site = None

    @rule(data=st.data())
    def cloud_sends(self, data: st.DataObject) -> None:
        base = self.site or self.cloud
        table = data.draw(st.one_of(neighbours(base), tables()) if base else tables())
        try:
            self.policies.judge(from_table(table))
        except PolicyLooser:
            assert self.site is not None
            assert not permits_no_more(table, self.site)
        except PosternError:
            assert self.site is None
        else:
            assert self.site is not None
            assert permits_no_more(table, self.site)
            self.cloud, self.policies.cloud = table, from_table(table)

    @rule()
    def cloud_withdraws(self) -> None:
        self.cloud = self.policies.cloud = None

    @rule()
    def the_node_restarts(self) -> None:
        self.policies = Policies(self._signed, from_table(self.cloud) if self.cloud else None)

    @rule(asked=st.lists(requests(), max_size=5))
    def somebody_asks(self, asked: list[Request]) -> None:
        self.asked += asked

    @invariant()
    def nothing_passes_that_one_of_them_refuses(self) -> None:
        for one in self.asked:
            try:
                found = decide_under(self.policies.in_force(), one)
            except PosternError:
                assert self.site is None
                continue
            assert self.site is not None
            tables_in_force = [self.site, *([self.cloud] if self.cloud else [])]
            assert (found.action is not Action.REFUSE) == all(passes(table, one) for table in tables_in_force)

    @invariant()
    def what_is_in_force_is_no_looser_than_the_site(self) -> None:
        if self.site is not None and self.cloud is None:
            assert stricter(*(self.policies.in_force() * 2))


TestTightening = Tightening.TestCase
TestTightening.settings = settings(max_examples=25, stateful_step_count=20, deadline=None)
