"""What a new course says about itself until its team does."""

DEFAULT_OVERVIEW = """<section class="about">
<h2>About this course</h2>
<p>Say here what a learner can do after this course.</p>
</section>
<section class="prerequisites">
<h2>Before you start</h2>
<p>Say here what a learner should know already.</p>
</section>
"""
