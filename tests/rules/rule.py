# SPDX-License-Identifier: Apache-2.0
"""A rule: a text of a file that stands there once, what stands for it where the rule is taken out, and
the tests that then have to fail.

A rule is one decision of the code. Rows of a table may share theirs: each has its test with it.
"""

import collections

Rule = collections.namedtuple("Rule", "name file text instead tests")
